use vitte_compiler::base::testing::TestDb;
fn main() {
    for (n, t) in vitte_compiler::runtime::FILES {
        let db = TestDb::new(&format!("//- {n}\n{t}"));
        let f = vitte_compiler::base::Db::file(&db, &vitte_compiler::base::SourcePath::workspace(n));
        let p = vitte_compiler::syntax::parse(&db, f);
        println!("{n} {}", p.diagnostics.len());
        for d in p.diagnostics.iter() { println!("  {:?} {} {:?}", d.code.code, d.message, d.labels[0].place); }
    }
}
