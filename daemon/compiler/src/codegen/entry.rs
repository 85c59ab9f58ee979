//! The few instructions that no compiler makes: the way into a program, and the instruction that calls the system.
use crate::base::{Machine, Processor, System};

/// Machine code with one call of a procedure in it, or none.
pub(super) struct Stub {
    /// The instructions.
    pub(super) code: &'static [u8],
    /// Where the call is that leads to the runtime's first procedure.
    pub(super) call: Option<u64>,
}

/// The way in. On Linux the address of what the kernel put on the stack becomes the argument (System V ABI for x86-64,
/// 3.4.1; the other machines' supplements say the same). Windows gives nothing that is needed. On macOS the dynamic
/// linker calls the runtime's procedure as `main`, so that there is nothing to do.
pub(super) fn start(machine: Machine) -> Option<Stub> {
    match (machine.system(), machine.processor()) {
        (System::Linux, Processor::Aarch64) => Some(Stub {
            code: &[
                0x1d, 0x00, 0x80, 0xd2, // mov x29, #0      the outermost frame
                0x1e, 0x00, 0x80, 0xd2, // mov x30, #0
                0xe0, 0x03, 0x00, 0x91, // mov x0, sp
                0x00, 0x00, 0x00, 0x94, // bl start
                0x00, 0x00, 0x20, 0xd4, // brk #0           not reached
            ],
            call: Some(12),
        }),
        (System::Linux, Processor::Riscv64) => Some(Stub {
            code: &[
                0x13, 0x05, 0x01, 0x00, // mv a0, sp
                0x13, 0x04, 0x00, 0x00, // li s0, 0         the outermost frame
                0x13, 0x71, 0x01, 0xff, // andi sp, sp, -16
                0x97, 0x00, 0x00, 0x00, // auipc ra, 0
                0xe7, 0x80, 0x00, 0x00, // jalr ra, ra, 0   start
                0x73, 0x00, 0x10, 0x00, // ebreak           not reached
            ],
            call: Some(12),
        }),
        (System::Windows, Processor::X86_64) => Some(Stub {
            code: &[
                0x48, 0x83, 0xec, 0x28, // sub rsp, 40      what a callee may use, and alignment
                0xe8, 0, 0, 0, 0, // call start
                0x0f, 0x0b, // ud2                          not reached
            ],
            call: Some(5),
        }),
        (System::Linux | System::Macos | System::Windows, _) => None,
    }
}

/// `linux_call(number, a, b, c, d, e, f)`: moves the arguments to where the kernel looks for them.
pub(super) fn system_call(machine: Machine) -> Option<Stub> {
    let code: &[u8] = match (machine.system(), machine.processor()) {
        (System::Linux, Processor::Aarch64) => &[
            0xe8, 0x03, 0x00, 0xaa, // mov x8, x0
            0xe0, 0x03, 0x01, 0xaa, // mov x0, x1
            0xe1, 0x03, 0x02, 0xaa, // mov x1, x2
            0xe2, 0x03, 0x03, 0xaa, // mov x2, x3
            0xe3, 0x03, 0x04, 0xaa, // mov x3, x4
            0xe4, 0x03, 0x05, 0xaa, // mov x4, x5
            0xe5, 0x03, 0x06, 0xaa, // mov x5, x6
            0x01, 0x00, 0x00, 0xd4, // svc #0
            0xc0, 0x03, 0x5f, 0xd6, // ret
        ],
        (System::Linux, Processor::Riscv64) => &[
            0x93, 0x08, 0x05, 0x00, // mv a7, a0
            0x13, 0x85, 0x05, 0x00, // mv a0, a1
            0x93, 0x05, 0x06, 0x00, // mv a1, a2
            0x13, 0x86, 0x06, 0x00, // mv a2, a3
            0x93, 0x06, 0x07, 0x00, // mv a3, a4
            0x13, 0x87, 0x07, 0x00, // mv a4, a5
            0x93, 0x07, 0x08, 0x00, // mv a5, a6
            0x73, 0x00, 0x00, 0x00, // ecall
            0x67, 0x80, 0x00, 0x00, // ret
        ],
        (System::Linux | System::Macos | System::Windows, _) => return None,
    };
    Some(Stub { code, call: None })
}
