#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::{CheckedModules, Edits, Update};
use crate::base::testing::TestDb;
use crate::base::{Diagnostic, Options, Program};
use crate::codegen::Fragments;
use crate::types::program_diagnostics;

const SHOP: &str = "//- main.vit
use shop
use tax
const RATE: int = shop.LIMIT + 1
const CALLED: int = shop.base(2)
proc main() -> int {
  let item = shop.make(3)
  give shop.price(item) + tax.of(item.cents) + shop.twice<int>(RATE) + CALLED
}
//- tax.vit
use shop
export proc of(cents: int) -> int { give shop.small(cents) * 2 }
//- shop.vit
form Item { cents: int }
export {Item, make, price, twice, small, base, LIMIT}
const LIMIT: int = 10
proc make(n: int) -> Item { give Item { cents: n * 7 } }
proc price(item: Item) -> int {
  let total = 0
  for i in 0..item.cents { set total = total + helper(i) * item.cents - i }
  for i in 0..item.cents { set total = total + helper(total) * item.cents - i }
  give total
}
proc twice<T>(x: T) -> T { give x }
proc small(n: int) -> int { give n + 1 }
proc base(n: int) -> int { give n * 3 }
proc helper(n: int) -> int { give n % 5 }
";

/// A program that is kept between edits, beside what the queries alone say.
struct Kept {
    db: TestDb,
    program: Program,
    modules: CheckedModules,
    fragments: Fragments,
    text: String,
}

impl Kept {
    fn new() -> Self {
        Self::of(SHOP)
    }

    fn of(source: &str) -> Self {
        let db = TestDb::new(source);
        let program = db.program_with(Options { debug_info: true, ..Options::default() });
        let text = source.split_once("//- shop.vit\n").unwrap().1.to_owned();
        let mut kept =
            Self { db, program, modules: CheckedModules::default(), fragments: Fragments::default(), text };
        kept.compare(Edits::Any);
        kept
    }

    /// Replaces `old` in `shop.vit`, compares everything with the truth, and says whether `tax.vit` was left
    /// alone. (`main.vit` has a const that calls a proc, so that bodies matter to it.)
    fn edit(&mut self, old: &str, new: &str) -> bool {
        assert!(self.text.contains(old), "{old}");
        self.text = self.text.replacen(old, new, 1);
        self.db.set("shop.vit", &self.text);
        let edited = [self.db.source("shop.vit")];
        self.compare(Edits::Only(&edited))
    }

    fn compare(&mut self, edits: Edits<'_>) -> bool {
        let Update { diagnostics: found, reach } = self.modules.update(&self.db, self.program, edits, |_| ());
        let executed = self.db.take_executed();
        let truth = program_diagnostics(&self.db, self.program);
        assert_eq!(found, *truth);
        let more = self.db.take_executed();
        let more: Vec<_> = more.iter().filter(|query| !query.starts_with("program_diagnostics")).collect();
        assert!(more.is_empty(), "not looked at again: {more:?}, but {executed:?}");
        if !found.iter().any(Diagnostic::is_error) {
            let edits = reach.as_deref().map_or(Edits::Any, Edits::Only);
            let users = self.modules.users();
            self.fragments.update(&self.db, self.program, edits, &users, |_, _| ()).unwrap();
            let mut truth = Fragments::default();
            truth.update(&self.db, self.program, Edits::Any, &users, |_, _| ()).unwrap();
            assert!(self.fragments.iter().eq(truth.iter()), "other code than the queries give");
        }
        let tax = self.db.source("tax.vit");
        reach.is_some_and(|reach| !reach.contains(&tax))
    }
}

#[test]
fn what_nobody_can_see_reaches_nobody() {
    let mut kept = Kept::new();
    assert!(kept.edit("const LIMIT", "# a comment that moves everything\nconst LIMIT"));
    assert!(kept.edit("total = total + helper", "total = total - helper"), "a body");
    assert!(kept.edit("give n % 5", "give n % 4"), "a private body");
    assert!(kept.edit("give n + 1", "give n + 2"), "a body that is inlined elsewhere");
    assert!(kept.edit("proc base", "proc other(n: int) -> int { give n }\nproc base"), "a new private proc");
    kept.text = kept.text.replace("helper", "assistant");
    assert!(kept.edit("Item { cents: n * 7 }", "Item { cents: n * 8 }"), "a private name");
}

#[test]
fn what_others_see_reaches_them() {
    for (old, new) in [
        ("LIMIT: int = 10", "LIMIT: int = 11"),
        ("cents: int }", "cents: int\n  more: int }"),
        ("proc small(n: int) -> int", "proc small(n: i32) -> int"),
        ("export {Item, make, price, twice, small, base, LIMIT}", "export *"),
        ("small, base", "base"),
        ("proc twice<T>(x: T) -> T { give x }", "proc twice<T>(x: T) -> T { let y = x\n give y }"),
        ("proc price(item: Item)", "proc price(move item: Item)"),
    ] {
        let mut kept = Kept::new();
        assert!(!kept.edit(old, new), "{old} -> {new}");
        // Back again.
        assert!(!kept.edit(new, old), "{new} -> {old}");
    }
}

#[test]
fn bodies_that_consts_call_reach_the_consts() {
    let mut kept = Kept::new();
    assert!(kept.edit("give n * 3", "give n * 4"));
    assert!(kept.edit("give n * 4", "give helper(n)"));
    assert!(kept.edit("give n % 5", "give n % 3"));
}

#[test]
fn messages_about_others_follow_them() {
    let mut kept = Kept::new();
    // Now `tax.vit` names something that is not there, and is told of what is similar.
    kept.edit("small, base", "smell, base");
    kept.edit("proc small", "proc smell");
    kept.edit("proc helper", "proc smal(n: int) -> int { give n }\nproc helper");
    kept.edit("smell, base", "small, base");
    kept.edit("proc smell", "proc small");
    assert!(!kept.fragments.is_empty());
}

const SCALES: &str = "//- main.vit
use shop
use tax
proc main() -> int { give tax.of(3) }
//- tax.vit
use shop.{Item, Weigh}
proc heaviest<T: Weigh>(items: [T]) -> int {
  let best = 0
  for item in items { if item.weigh() > best { set best = item.weigh() } }
  give best
}
export proc of(cents: int) -> int {
  let items = [Item { cents: cents }, Item { cents: 2 }]
  give heaviest(items) + items[0].twice() + (items[0] + items[1]).cents
}
//- shop.vit
export {Item, Weigh}
form Item { cents: int }
trait Weigh {
  proc weigh(self) -> int
  proc twice(self) -> int { give self.weigh() * 2 }
}
impl Weigh for Item { proc weigh(self) -> int { give self.cents + 1 } }
proc operator + (a: Item, b: Item) -> Item { give Item { cents: a.cents + b.cents } }
";

#[test]
fn impls_reach_those_who_look_members_up() {
    let mut kept = Kept::of(SCALES);
    for (old, new) in [
        // A default member is generic: users make instances of it.
        ("self.weigh() * 2", "self.weigh() * 3"),
        // A member of its own hides the trait's.
        ("proc operator", "impl Item { proc twice(self) -> int { give 9 } }\nproc operator"),
        ("impl Item { proc twice(self) -> int { give 9 } }\n", ""),
        // Another impl of what an impl leaves to the trait.
        ("{ give self.cents + 1 } }", "{ give self.cents + 1 } proc twice(self) -> int { give 4 } }"),
        (" proc twice(self) -> int { give 4 } }", " }"),
        // No impl at all, and one again.
        ("impl Weigh for Item", "impl Weigh for int"),
        ("impl Weigh for int", "impl Weigh for Item"),
        // Nobody names an operator.
        ("proc operator +", "proc operator -"),
        ("proc operator -", "proc operator +"),
    ] {
        assert!(!kept.edit(old, new), "{old} -> {new}");
    }
    // What an impl's member does is nobody else's business but the inliner's.
    kept.edit("give self.cents + 1", "give self.cents + 2");
}
