//! The first part of the filter: what is decided by the number of a call alone.
//!
//! When a filter is installed the kernel tries it on every number of every architecture, to remember
//! which need no look (`seccomp_cache_prepare`). Through a list of a hundred comparisons that takes a
//! quarter of a millisecond, more than all the rest of a confinement; through a tree, a tenth of that.
use seccompiler::sock_filter;

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_GREATER_EQUAL: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// `struct seccomp_data`: where the number of the call is, and where the architecture.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// `AUDIT_ARCH_*` of what this crate is built for.
#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xc000_00b7;
/// Elsewhere there is no filter at all.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const NATIVE: u32 = 0;

/// The first number of the x32 interface, whose calls would slip past a list of the ordinary ones.
const X32: u32 = 0x4000_0000;

/// Numbers compared one after the other at the end of each branch.
const LEAF: usize = 8;

/// What is decided about a number. One that is not mentioned is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It answers with this errno.
    Refused(u32),
    /// It depends on the arguments: the rest of the filter decides.
    Open,
}

/// A program that follows `decisions`, whose numbers ascend, answers the numbers of x32 with ENOSYS,
/// and leaves what is open, and calls of foreign architectures, to what comes behind its end.
pub(super) fn by_number(decisions: &[(u32, Decision)]) -> Vec<sock_filter> {
    let mut program = vec![
        step(LOAD, 0, 0, ARCHITECTURE),
        step(JUMP_EQUAL, 1, 0, NATIVE),
        step(JUMP, 0, 0, TO_THE_END),
        step(LOAD, 0, 0, NUMBER),
        step(JUMP_GREATER_EQUAL, 0, 1, X32),
        step(RETURN, 0, 0, errno(libc::ENOSYS.unsigned_abs())),
    ];
    branch(decisions, &mut program);
    let end = program.len();
    for (at, instruction) in program.iter_mut().enumerate() {
        if instruction.code == JUMP && instruction.k == TO_THE_END {
            instruction.k = (end - at - 1) as u32;
        }
    }
    program
}

/// Stands for the way to the end until it is known. No jump is as long as this.
const TO_THE_END: u32 = u32::MAX;

fn branch(decisions: &[(u32, Decision)], program: &mut Vec<sock_filter>) {
    if decisions.len() <= LEAF {
        leaf(decisions, program);
        return;
    }
    let (low, high) = decisions.split_at(decisions.len() / 2);
    let Some(&(pivot, _)) = high.first() else { return };
    // A conditional jump reaches 255 instructions only, so it jumps over one that reaches all.
    program.push(step(JUMP_GREATER_EQUAL, 0, 1, pivot));
    let over = program.len();
    program.push(step(JUMP, 0, 0, 0));
    branch(low, program);
    let distance = (program.len() - over - 1) as u32;
    if let Some(jump) = program.get_mut(over) {
        jump.k = distance;
    }
    branch(high, program);
}

/// The comparisons, then what is done if none holds, then each decision among them once.
fn leaf(decisions: &[(u32, Decision)], program: &mut Vec<sock_filter>) {
    let mut kinds: Vec<Decision> = Vec::new();
    for (at, &(number, decision)) in decisions.iter().enumerate() {
        let kind = kinds.iter().position(|kind| *kind == decision).unwrap_or_else(|| {
            kinds.push(decision);
            kinds.len() - 1
        });
        // Past the comparisons that are left and the return of those that are not mentioned.
        let distance = decisions.len() - at + kind;
        program.push(step(JUMP_EQUAL, distance as u8, 0, number));
    }
    program.push(step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    program.extend(kinds.into_iter().map(|kind| match kind {
        Decision::Refused(answer) => step(RETURN, 0, 0, errno(answer)),
        Decision::Open => step(JUMP, 0, 0, TO_THE_END),
    }));
}

fn step(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn errno(errno: u32) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    /// What the program says to a call (`None`: the rest of the filter decides), and in how many steps.
    fn run(program: &[sock_filter], architecture: u32, number: u32) -> (Option<u32>, usize) {
        let (mut at, mut steps, mut loaded) = (0, 0, 0);
        while let Some(instruction) = program.get(at) {
            at += 1;
            steps += 1;
            let taken = |taken: bool| usize::from(if taken { instruction.jt } else { instruction.jf });
            match instruction.code {
                LOAD => loaded = if instruction.k == NUMBER { number } else { architecture },
                JUMP => at += instruction.k as usize,
                JUMP_EQUAL => at += taken(loaded == instruction.k),
                JUMP_GREATER_EQUAL => at += taken(loaded >= instruction.k),
                RETURN => return (Some(instruction.k), steps),
                other => panic!("instruction {other:#x}"),
            }
        }
        assert_eq!(at, program.len(), "the rest begins right behind the end");
        (None, steps)
    }

    #[test]
    fn each_number_gets_what_was_decided() {
        for count in [0, 1, 7, 8, 9, 17, 100, 457] {
            let decisions: Vec<(u32, Decision)> = (0..count)
                .map(|index| {
                    let decision =
                        if index % 5 == 0 { Decision::Open } else { Decision::Refused(1 + index % 40) };
                    (index * 3 + 1, decision)
                })
                .collect();
            let program = by_number(&decisions);
            for number in (0..count * 3 + 5).chain([X32 - 1]) {
                let expected = match decisions.iter().find(|(one, _)| *one == number) {
                    Some((_, Decision::Refused(answer))) => Some(errno(*answer)),
                    Some((_, Decision::Open)) => None,
                    None => Some(libc::SECCOMP_RET_ALLOW),
                };
                assert_eq!(run(&program, NATIVE, number).0, expected, "{number} of {count}");
                assert_eq!(run(&program, 0x4000_0003, number).0, None, "i386 is not decided here");
            }
            for number in [X32, X32 + 39, u32::MAX] {
                assert_eq!(run(&program, NATIVE, number).0, Some(errno(libc::ENOSYS.unsigned_abs())));
            }
        }
    }

    #[test]
    fn no_look_is_long() {
        let decisions: Vec<_> = (0..128).map(|number| (number * 2, Decision::Refused(1))).collect();
        let program = by_number(&decisions);
        // The start, a comparison and a jump at each of four turns, a leaf and its return.
        let most = (0..300).map(|number| run(&program, NATIVE, number).1).max().unwrap();
        assert!(most <= 4 + 2 * 4 + LEAF + 1, "{most} steps");
    }
}
