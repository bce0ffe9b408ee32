//! The queries in the documents run on the database of a migration.

use super::{documents, page};
use crate::common::Bench;

fn migrated() -> (Bench, rusqlite::Connection) {
    let bench = Bench::new();
    bench.write("mail/a", "a letter");
    bench.sync(&[]).with_status(0);
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    (bench, connection)
}

#[test]
fn every_query_runs() {
    let (_bench, connection) = migrated();
    let mut queries = 0;
    for page in documents() {
        for fence in page.fences().iter().filter(|fence| fence.info == "sql") {
            for query in fence.body.split_inclusive(';').filter(|query| !query.trim().is_empty()) {
                let place = format!("{}:{}: {query}", page.path.display(), fence.line);
                let mut statement = connection.prepare(query).unwrap_or_else(|error| panic!("{place}: {error}"));
                let mut rows = statement.query([]).unwrap();
                while rows.next().unwrap_or_else(|error| panic!("{place}: {error}")).is_some() {}
                queries += 1;
            }
        }
    }
    assert!(queries > 0);
}

#[test]
fn every_column_and_every_key_is_explained() {
    let (bench, connection) = migrated();
    let page = page("docs/database-and-log.md");
    let spans: Vec<_> = page.code_spans().map(|(_, span)| span).collect();
    let statement = connection.prepare("SELECT * FROM files").unwrap();
    let columns = statement.column_names().map(str::to_owned).collect::<Vec<_>>();
    let log = std::fs::read_to_string(bench.log_file()).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Map<_, _>>(line).unwrap());
    let keys = lines.flat_map(|line| line.into_iter().map(|(key, _)| key));
    for name in columns.into_iter().chain(keys) {
        assert!(spans.contains(&name.as_str()), "`{name}` is missing in docs/database-and-log.md");
    }
}
