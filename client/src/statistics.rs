//! What samples of a benchmark say: the median, the median absolute deviation, outliers, changes.
//!
//! Medians, because what disturbs a measurement only ever makes it longer: a few late samples move a mean far and a median
//! hardly. The deviation is that of Hampel (1974); a sample further from the median than 3.5 deviations, scaled to a normal
//! distribution's, is an outlier (Iglewicz and Hoaglin, 1993).

/// Scales a median absolute deviation to the standard deviation of a normal distribution.
const TO_DEVIATION: f64 = 1.4826;
/// How many scaled deviations from the median an outlier begins.
const OUTLIER: f64 = 3.5;
/// Changes below this fraction are noise, whatever the samples say.
const SMALLEST_CHANGE: f64 = 0.02;

/// The samples of a benchmark in numbers, in nanoseconds for one call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Half of the samples are below it.
    pub median: f64,
    /// The median of the samples' distances from the median.
    pub mad: f64,
    /// The quickest.
    pub min: f64,
    /// The slowest.
    pub max: f64,
    /// Of all.
    pub mean: f64,
    /// How many samples there are.
    pub samples: usize,
    /// How many are outliers.
    pub outliers: usize,
}

/// What a comparison with an earlier run says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Less time than before.
    Faster,
    /// More time than before.
    Slower,
    /// As before, as far as one can tell.
    Same,
}

/// The summary of samples; zeros if there are none. O(n log n).
pub fn summary(samples: &[f64]) -> Summary {
    let mut sorted: Vec<f64> = samples.iter().copied().filter(|sample| sample.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else { return Summary::default() };
    let median = median_of(&sorted);
    let mut distances: Vec<f64> = sorted.iter().map(|sample| (sample - median).abs()).collect();
    distances.sort_by(f64::total_cmp);
    let mad = median_of(&distances);
    let limit = OUTLIER * TO_DEVIATION * mad;
    Summary {
        median,
        mad,
        min,
        max,
        mean: sorted.iter().sum::<f64>() / sorted.len() as f64,
        samples: sorted.len(),
        outliers: if mad > 0.0 { distances.iter().filter(|&&distance| distance > limit).count() } else { 0 },
    }
}

fn median_of(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// How much more time `now` takes than `before`, as a fraction, and whether that says anything: the medians are further
/// apart than three times the uncertainty of both, and by two percent at least.
pub fn change(before: &Summary, now: &Summary) -> (f64, Change) {
    if before.median <= 0.0 {
        return (0.0, Change::Same);
    }
    let difference = now.median - before.median;
    let fraction = difference / before.median;
    // The standard error of a median is about 1.2533 of that of a mean.
    let error =
        |summary: &Summary| 1.2533 * TO_DEVIATION * summary.mad / (summary.samples.max(1) as f64).sqrt();
    let uncertainty = error(before).hypot(error(now));
    let verdict = if difference.abs() <= 3.0 * uncertainty || fraction.abs() < SMALLEST_CHANGE {
        Change::Same
    } else if difference < 0.0 {
        Change::Faster
    } else {
        Change::Slower
    };
    (fraction, verdict)
}

/// Nanoseconds as people read them, with three digits at least: `12.3 ns`, `4.56 µs`.
pub fn shown(nanoseconds: f64) -> String {
    let (amount, unit) = match nanoseconds {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "µs"),
        n if n < 1e9 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let digits = match amount {
        a if a < 10.0 => 2,
        a if a < 100.0 => 1,
        _ => 0,
    };
    format!("{amount:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    #[test]
    fn medians_ignore_what_is_late() {
        let found = summary(&[10.0, 11.0, 9.0, 10.0, 12.0, 10.0, 500.0]);
        assert_eq!((found.median, found.mad, found.min, found.max), (10.0, 1.0, 9.0, 500.0));
        assert_eq!((found.samples, found.outliers), (7, 1));
        assert_eq!(summary(&[1.0, 3.0]).median, 2.0);
        assert_eq!(summary(&[]), Summary::default());
        assert_eq!(summary(&[5.0, 5.0, 5.0, 9.0]).outliers, 0, "without a deviation nothing is far");
    }

    #[test]
    fn changes_are_told_when_they_are_larger_than_the_noise() {
        let of = |median: f64, mad: f64| Summary { median, mad, samples: 60, ..Summary::default() };
        assert_eq!(change(&of(100.0, 1.0), &of(120.0, 1.0)).1, Change::Slower);
        assert_eq!(change(&of(100.0, 1.0), &of(80.0, 1.0)).1, Change::Faster);
        assert_eq!(change(&of(100.0, 50.0), &of(110.0, 50.0)).1, Change::Same);
        assert_eq!(change(&of(100.0, 0.0), &of(101.0, 0.0)).1, Change::Same);
        assert_eq!(change(&of(0.0, 0.0), &of(1.0, 0.0)), (0.0, Change::Same));
    }

    #[test]
    fn times_have_units() {
        let all = [0.512, 12.34, 999.0, 1234.0, 45_600_000.0, 2.5e9].map(shown);
        assert_eq!(all, ["0.51 ns", "12.3 ns", "999 ns", "1.23 µs", "45.6 ms", "2.50 s"]);
    }
}
