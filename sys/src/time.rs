//! Three clocks by name, each with instants of its own type, and a clock for tests.
//!
//! | Clock | Stops in suspend | Can jump | For |
//! |---|---|---|---|
//! | [`Mono`] | yes | no | timeouts, measurements |
//! | [`Boot`] | no | no | leases, how long ago something was seen |
//! | [`Wall`] | no | yes | what people and other machines read |
use std::sync::Mutex;
use std::time::Duration;

use crate::platform;

/// An instant of the clock that stands still while the machine sleeps (`CLOCK_MONOTONIC`), in
/// nanoseconds since a moment of the kernel's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(u64);

/// An instant of the clock that also runs while the machine sleeps (`CLOCK_BOOTTIME`), in nanoseconds
/// since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Boot(u64);

/// Date and time (`CLOCK_REALTIME`), in nanoseconds since 1970 without leap seconds; negative before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(i64);

/// A count of nanoseconds; 584 years fit.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

macro_rules! steady {
    ($clock:ident) => {
        impl $clock {
            /// The instant `nanoseconds` after the clock's beginning.
            pub const fn from_nanos(nanoseconds: u64) -> Self {
                Self(nanoseconds)
            }

            /// Nanoseconds since the clock's beginning.
            pub const fn as_nanos(self) -> u64 {
                self.0
            }

            /// Whole microseconds since the clock's beginning.
            pub const fn as_micros(self) -> u64 {
                self.0 / 1000
            }

            /// How much later this is than `earlier`; zero when it is not.
            pub const fn since(self, earlier: Self) -> Duration {
                Duration::from_nanos(self.0.saturating_sub(earlier.0))
            }

            /// The instant `duration` later, at most the last one.
            #[must_use]
            pub fn after(self, duration: Duration) -> Self {
                Self(self.0.saturating_add(nanoseconds(duration)))
            }
        }
    };
}

steady!(Mono);
steady!(Boot);

impl Wall {
    /// The instant so many nanoseconds after 1970 began.
    pub const fn from_unix_nanos(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since 1970 began.
    pub const fn as_unix_nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970 began, rounded down.
    pub const fn as_unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }
}

/// Where time comes from: [`SystemClock`] outside tests, [`ManualClock`] in them.
pub trait Clock: Send + Sync {
    /// Now, for timeouts.
    fn mono(&self) -> Mono;
    /// Now, with the time that the machine slept.
    fn boot(&self) -> Boot;
    /// Now, for people.
    fn wall(&self) -> Wall;
    /// Waits so long.
    fn sleep(&self, duration: Duration);
}

/// The kernel's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// [`Clock::mono`] as of the last timer tick, 1 to 10 ms ago, where the system keeps that: half the
    /// price.
    pub fn mono_coarse(&self) -> Mono {
        Mono(platform::time::awake_coarse())
    }
}

impl Clock for SystemClock {
    fn mono(&self) -> Mono {
        Mono(platform::time::awake())
    }

    fn boot(&self) -> Boot {
        Boot(platform::time::since_boot())
    }

    fn wall(&self) -> Wall {
        Wall(platform::time::wall())
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// A clock that stands until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<(Mono, Boot, Wall)>,
}

impl ManualClock {
    /// A clock that stands one hour after the machine's start, at `wall`.
    pub const fn new(wall: Wall) -> Self {
        const HOUR: u64 = 3_600_000_000_000;
        Self { now: Mutex::new((Mono(HOUR), Boot(HOUR), wall)) }
    }

    /// Lets time pass.
    pub fn advance(&self, duration: Duration) {
        let mut now = self.now();
        now.0 = now.0.after(duration);
        self.pass_asleep(&mut now, duration);
    }

    /// Lets time pass while the machine sleeps: [`Mono`] stands still.
    pub fn suspend(&self, duration: Duration) {
        let mut now = self.now();
        self.pass_asleep(&mut now, duration);
    }

    /// Sets the date, as an administrator does: nothing else moves.
    pub fn set_wall(&self, wall: Wall) {
        self.now().2 = wall;
    }

    fn pass_asleep(&self, now: &mut (Mono, Boot, Wall), duration: Duration) {
        now.1 = now.1.after(duration);
        now.2 = Wall(now.2.0.saturating_add_unsigned(nanoseconds(duration)));
    }

    fn now(&self) -> std::sync::MutexGuard<'_, (Mono, Boot, Wall)> {
        self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn mono(&self) -> Mono {
        self.now().0
    }

    fn boot(&self) -> Boot {
        self.now().1
    }

    fn wall(&self) -> Wall {
        self.now().2
    }

    /// Advances the clock and returns at once.
    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_clocks_run() {
        let clock = SystemClock;
        let (mono, boot) = (clock.mono(), clock.boot());
        clock.sleep(Duration::from_millis(2));
        assert!(clock.mono().since(mono) >= Duration::from_millis(2));
        assert!(clock.boot() > boot);
        assert!(clock.mono_coarse() <= clock.mono());
        let std =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
        assert!(clock.wall().as_unix_seconds().abs_diff(std as i64) <= 1);
        assert_eq!(Wall::from_unix_nanos(-1).as_unix_seconds(), -1);
    }

    #[test]
    fn a_manual_clock_moves_when_told() {
        let clock = ManualClock::new(Wall::from_unix_nanos(0));
        let (mono, boot) = (clock.mono(), clock.boot());
        clock.sleep(Duration::from_secs(1));
        clock.suspend(Duration::from_secs(10));
        assert_eq!(clock.mono().since(mono), Duration::from_secs(1));
        assert_eq!(clock.boot().since(boot), Duration::from_secs(11));
        assert_eq!(clock.wall().as_unix_seconds(), 11);
        clock.set_wall(Wall::from_unix_nanos(5));
        assert_eq!((clock.wall().as_unix_nanos(), clock.mono().since(mono).as_secs()), (5, 1));
        assert_eq!(mono.since(clock.mono()), Duration::ZERO);
        assert_eq!(mono.after(Duration::MAX).as_nanos(), u64::MAX);
    }
}
