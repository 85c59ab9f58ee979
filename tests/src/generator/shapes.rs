//! What the procedures of a generated module do: each shape in Vitte and in C, side by side, so that a
//! reader sees that the two mean the same.
//!
//! Every procedure takes a number that is not negative and gives one below the modulus of the base, in
//! both languages without overflow. The templates say `@proc@` for the name, `@a@`, `@b@` and `@c@` for
//! the numbers, `@noun@` and `@Noun@` for what the module is about, and `@m@` for the prefix that C
//! needs where Vitte has modules.

/// What a procedure's body does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// Arithmetic in a loop with branches.
    Loop,
    /// Builds a list, walks it, and uses a generic procedure of the base.
    List,
    /// Matches a pick with payloads.
    State,
    /// Builds a string and hashes its characters.
    Text,
    /// Makes a form and changes it through a reference.
    Record,
    /// Generic forms and procedures at two types, one of them the module's own form.
    Slots,
    /// Searches a list and gives an option.
    Search,
    /// Calls members of a trait, directly and through a generic procedure, and a lambda.
    Traits,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Loop,
        Self::List,
        Self::State,
        Self::Text,
        Self::Record,
        Self::Slots,
        Self::Search,
        Self::Traits,
    ];

    pub(super) fn vitte(self) -> &'static str {
        match self {
            Self::Loop => VITTE_LOOP,
            Self::List => VITTE_LIST,
            Self::State => VITTE_STATE,
            Self::Text => VITTE_TEXT,
            Self::Record => VITTE_RECORD,
            Self::Slots => VITTE_SLOTS,
            Self::Search => VITTE_SEARCH,
            Self::Traits => VITTE_TRAITS,
        }
    }

    pub(super) fn c(self) -> &'static str {
        match self {
            Self::Loop => C_LOOP,
            Self::List => C_LIST,
            Self::State => C_STATE,
            Self::Text => C_TEXT,
            Self::Record => C_RECORD,
            Self::Slots => C_SLOTS,
            Self::Search => C_SEARCH,
            Self::Traits => C_TRAITS,
        }
    }
}

const VITTE_LOOP: &str = "\
// Repeats until the rounds are used up; large totals shrink.
proc @proc@(n: int) -> int {
    let total = @a@
    let i = 0
    while i < 12 + n % 5 {
        if (total + i) % 3 == 0 {
            set total = (total * 7 + i) % arith.MODULUS
        } elif total > @c@ {
            set total = total - i
        } else {
            set total = (total + n + @b@) % arith.MODULUS
        }
        set i = i + 1
    }
    give total % arith.MODULUS
}
";

const C_LOOP: &str = "\
/* Repeats until the rounds are used up; large totals shrink. */
static int64_t @m@_@proc@(int64_t n)
{
    int64_t total = @a@;
    int64_t i = 0;
    while (i < 12 + n % 5) {
        if ((total + i) % 3 == 0) {
            total = (total * 7 + i) % ARITH_MODULUS;
        } else if (total > @c@) {
            total = total - i;
        } else {
            total = (total + n + @b@) % ARITH_MODULUS;
        }
        i = i + 1;
    }
    return total % ARITH_MODULUS;
}
";

const VITTE_LIST: &str = "\
// The sum of some values, mixed with the largest.
proc @proc@(n: int) -> int {
    let values: [int] = []
    for i in 0..10 {
        values.push((n * @a@ + i * @b@) % 1009)
    }
    let best = arith.first_or(values, 0)
    let sum = 0
    for value in values {
        if value > best { set best = value }
        set sum = sum + value
    }
    give arith.mix(sum, best + @c@)
}
";

const C_LIST: &str = "\
/* The sum of some values, mixed with the largest. */
static int64_t @m@_@proc@(int64_t n)
{
    int64_t values[10];
    int count = 0;
    for (int64_t i = 0; i < 10; i++) {
        values[count++] = (n * @a@ + i * @b@) % 1009;
    }
    int64_t best = arith_first_or(values, count, 0);
    int64_t sum = 0;
    for (int at = 0; at < count; at++) {
        if (values[at] > best) { best = values[at]; }
        sum = sum + values[at];
    }
    return arith_mix(sum, best + @c@);
}
";

const VITTE_STATE: &str = "\
// What four states weigh together.
proc @proc@(n: int) -> int {
    let sum = @c@
    for i in 0..4 {
        pick classify(n + i * @a@) {
            @Noun@State.Idle { set sum = sum + @b@ }
            @Noun@State.Active(level) {
                set sum = sum + level * 3
            }
            @Noun@State.Failed(code, note) {
                set sum = sum + code + len(note)
            }
        }
    }
    give sum % arith.MODULUS
}
";

const C_STATE: &str = "\
/* What four states weigh together. */
static int64_t @m@_@proc@(int64_t n)
{
    int64_t sum = @c@;
    for (int64_t i = 0; i < 4; i++) {
        @m@_state state = @m@_classify(n + i * @a@);
        switch (state.kind) {
        case @m@_idle:
            sum = sum + @b@;
            break;
        case @m@_active:
            sum = sum + state.number * 3;
            break;
        case @m@_failed:
            sum = sum + state.number + (int64_t)strlen(state.note);
            break;
        }
    }
    return sum % ARITH_MODULUS;
}
";

const VITTE_TEXT: &str = "\
// A hash of a name.
proc @proc@(n: int) -> int {
    let text = TAG + (n % 1000) as string
    set text = text + \"/@a@\"
    let hash = @c@
    for letter in text {
        set hash = (hash * 33 + letter as int) % arith.MODULUS
    }
    if contains(text, \"7\") {
        set hash = hash + @b@
    }
    give hash % arith.MODULUS
}
";

const C_TEXT: &str = "\
/* A hash of a name. */
static int64_t @m@_@proc@(int64_t n)
{
    char text[64];
    snprintf(text, sizeof text, \"%s%lld/@a@\", @m@_tag, (long long)(n % 1000));
    int64_t hash = @c@;
    for (const char *letter = text; *letter; letter++) {
        hash = (hash * 33 + *letter) % ARITH_MODULUS;
    }
    if (strchr(text, '7')) {
        hash = hash + @b@;
    }
    return hash % ARITH_MODULUS;
}
";

const VITTE_RECORD: &str = "\
// Lets one @noun@ go through some steps.
proc @proc@(n: int) -> int {
    let item = make(n + @a@)
    for step in 0..6 {
        advance(ref mut item, step * @b@)
    }
    let sum = item.count
    for mark in item.marks {
        set sum = sum + mark
    }
    if item.open { set sum = sum + @c@ }
    give arith.mix(item.total, sum)
}
";

const C_RECORD: &str = "\
/* Lets one @noun@ go through some steps. */
static int64_t @m@_@proc@(int64_t n)
{
    @m@_item item = @m@_make(n + @a@);
    for (int64_t step = 0; step < 6; step++) {
        @m@_advance(&item, step * @b@);
    }
    int64_t sum = item.count;
    for (int at = 0; at < item.mark_count; at++) {
        sum = sum + item.marks[at];
    }
    if (item.open) { sum = sum + @c@; }
    return arith_mix(item.total, sum);
}
";

const VITTE_SLOTS: &str = "\
// The first slot in use, of numbers and of the module's own form.
proc @proc@(n: int) -> int {
    let numbers: [Slot<int>] = [
        Slot<int> { value: n % @a@, used: n % 2 == 0 },
        Slot<int> { value: @b@, used: n % 5 != 0 },
    ]
    let number = first_used(numbers, @c@)
    let item = make(n)
    let items: [Slot<@Noun@>] = [Slot<@Noun@> { value: item, used: n % 3 == 1 }]
    let chosen = first_used(items, make(@b@))
    give arith.mix(chosen.total, number)
}
";

const C_SLOTS: &str = "\
/* The first slot in use, of numbers and of the module's own form. */
static int64_t @m@_@proc@(int64_t n)
{
    slots_number numbers[2] = {
        { n % @a@, n % 2 == 0 },
        { @b@, n % 5 != 0 },
    };
    int64_t number = slots_first_used(numbers, 2, @c@);
    @m@_item item = @m@_make(n);
    struct { @m@_item value; bool used; } items[1];
    items[0].value = item;
    items[0].used = n % 3 == 1;
    @m@_item chosen = @m@_make(@b@);
    for (int at = 0; at < 1; at++) {
        if (items[at].used) { chosen = items[at].value; break; }
    }
    return arith_mix(chosen.total, number);
}
";

const VITTE_SEARCH: &str = "\
// Where the first multiple stands, if there is one.
proc find_@proc@(values: [int], divisor: int) -> Option<int> {
    let at = 0
    while at < len(values) {
        if values[at] % divisor == 0 { give Some(at) }
        set at = at + 1
    }
    give None
}

proc @proc@(n: int) -> int {
    let values = [n + 1, n + @b@, n * 3 + 2, @c@]
    pick find_@proc@(values, @a@) {
        Some(at) { give arith.mix(values[at], at) }
        None { give @c@ + LIMIT }
    }
}
";

const C_SEARCH: &str = "\
/* Where the first multiple stands; -1 if there is none. */
static int64_t @m@_find_@proc@(const int64_t *values, int count, int64_t divisor)
{
    int at = 0;
    while (at < count) {
        if (values[at] % divisor == 0) { return at; }
        at = at + 1;
    }
    return -1;
}

static int64_t @m@_@proc@(int64_t n)
{
    int64_t values[4] = { n + 1, n + @b@, n * 3 + 2, @c@ };
    int64_t at = @m@_find_@proc@(values, 4, @a@);
    if (at >= 0) {
        return arith_mix(values[at], at);
    } else {
        return @c@ + @m@_limit;
    }
}
";

const VITTE_TRAITS: &str = "\
// The heaviest of three, and what another one weighs twice.
proc @proc@(n: int) -> int {
    let items = [make(n), make(n + @a@), make(@b@)]
    let scale = |weight: int| weight * 3 + @c@
    give arith.mix(scale(heaviest(items)), make(n + 1).twice())
}
";

const C_TRAITS: &str = "\
/* The heaviest of three, and what another one weighs twice. */
static int64_t @m@_@proc@(int64_t n)
{
    @m@_item items[3] = { @m@_make(n), @m@_make(n + @a@), @m@_make(@b@) };
    int64_t best = 0;
    for (int at = 0; at < 3; at++) {
        if (@m@_weigh(&items[at]) > best) { best = @m@_weigh(&items[at]); }
    }
    @m@_item other = @m@_make(n + 1);
    return arith_mix(best * 3 + @c@, @m@_weigh(&other) * 2 + @m@_base % 97);
}
";
