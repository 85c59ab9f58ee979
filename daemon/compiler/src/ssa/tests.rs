//! Construction and the verifier on hand-made functions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::build::Builder;
use super::*;

/// `while v0 < 10 { x = x + 1 }; return x` with `y` never changed.
fn counting() -> Function {
    let mut b = Builder::new(Some(Type::I64), vec![Type::I64, Type::I64], None);
    let (head, body, exit) = (b.new_block(), b.new_block(), b.new_block());
    let start = b.int(Type::I64, 0);
    b.write(0, start);
    let other = b.int(Type::I64, 7);
    b.write(1, other);
    b.jump(head);
    b.switch_to(head);
    let x = b.read(0);
    let ten = b.int(Type::I64, 10);
    let less = b.push(Type::I8, Op::Compare(CompareOp::SLt, x, ten));
    b.branch(less, body, exit);
    b.seal(body);
    b.seal(exit);
    b.switch_to(body);
    let x = b.read(0);
    let y = b.read(1);
    let sum = b.push(Type::I64, Op::Binary(BinaryOp::Add, x, y));
    b.write(0, sum);
    b.jump(head);
    b.seal(head);
    b.switch_to(exit);
    let result = b.read(0);
    b.terminate(Terminator::Return(Some(result)));
    b.finish()
}

#[test]
fn only_what_changes_becomes_a_parameter() {
    let function = counting();
    verify(&function).unwrap();
    expect_test::expect![[r#"
        function f() -> i64 {
        b0:
            v0: i64 = 0
            v1: i64 = 7
            jump b1(v0)
        b1(v2: i64):
            v3: i64 = 10
            v4: i8 = cmp.slt v2, v3
            branch v4, b2, b3
        b2:
            v6: i64 = add v2, v1
            jump b1(v6)
        b3:
            return v2
        }
    "#]]
    .assert_eq(&dump(&function, "f", &|symbol| format!("{symbol:?}")));
}

#[test]
fn the_verifier_sees_broken_functions() {
    let broken = |change: fn(&mut Function)| {
        let mut function = counting();
        change(&mut function);
        verify(&function).unwrap_err()
    };
    assert_eq!(
        broken(|f| f.blocks[0].terminator = Terminator::Jump(Target { block: BlockId(1), args: vec![] })),
        "b0 to b1: wrong number of arguments"
    );
    assert_eq!(broken(|f| f.blocks[3].terminator = Terminator::Return(None)), "b3 returns the wrong type");
    assert_eq!(
        broken(|f| {
            let inst = f.blocks[2].insts[0].clone();
            f.blocks[1].insts.push(inst);
        }),
        "v6 is defined twice"
    );
    assert_eq!(
        broken(|f| f.blocks[3].terminator = Terminator::Return(Some(Value(6)))),
        "v6 does not dominate its use in b3"
    );
    assert_eq!(broken(|f| f.blocks[1].insts.reverse()), "v3 is used before its definition in b1");
    assert!(broken(|f| f.values[6] = Type::I32).contains("differ"));
    assert_eq!(
        broken(|f| f.blocks[2].terminator = Terminator::Jump(Target { block: BlockId(0), args: vec![] })),
        "a jump to the entry"
    );
}

#[test]
fn constants_wrap() {
    assert_eq!(wrap_int(200, 8), -56);
    assert_eq!(wrap_int(-1, 64), -1);
    assert_eq!(wrap_int(i128::MAX, 128), i128::MAX);
    assert_eq!(wrap_int(1 << 64, 64), 0);
}
