//! The table of `tests/README.md`: every requirement that must hold has a row, and every test it names exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rows that the product claims by now: all of sections 1 to 4, 6 and (but for DPoP) 7, elsewhere those that are P0.
const MUST_HOLD: &[(&str, &[u8])] = &[
    ("SI", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22]),
    ("CB", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22]),
    ("IT", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22]),
    ("JW", &[1, 2, 3, 4, 5]),
    ("SE", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]),
    ("CS", &[1, 2, 3, 4, 5, 8]),
    ("LO", &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ("BL", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    ("FL", &[1, 2, 3]),
    ("TK", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17]),
    ("RS", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19]),
    ("HD", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14]),
    ("H2", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("TL", &[1, 2, 3, 4, 5, 6, 7]),
    ("PA", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("RL", &[1, 2, 3, 4, 5, 6]),
    ("LG", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("RD", &[1, 2]),
    ("ST", &[1, 2, 3, 4, 5, 6]),
    ("CF", &[1, 2, 3, 4, 5, 6]),
    ("EP", &[1, 2, 3, 4, 5]),
];

struct Row {
    ids: String,
    tests: Vec<String>,
    /// Whether a file is named whose tests another command runs.
    is_elsewhere: bool,
}

fn root() -> PathBuf {
    demo::root().expect("the tests run in the checkout")
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(root().join("tests/README.md")).expect("tests/README.md");
    let (_, table) = text.split_once("## Which test shows which requirement").expect("the heading");
    let lines = table.lines().filter(|line| {
        line.starts_with("| ") && !line.starts_with("| id |") && !line.starts_with("| what |")
    });
    lines
        .map(|line| {
            let (ids, rest) = line[2..].split_once(" |").expect("a table has columns");
            let names = rest.split('`').skip(1).step_by(2).filter(|name| name.contains("::"));
            let mut files = rest.split('`').skip(1).step_by(2).filter(|name| name.ends_with(".test.mjs"));
            let is_elsewhere = files.any(|file| root().join(file).is_file());
            Row { ids: ids.to_owned(), tests: names.map(str::to_owned).collect(), is_elsewhere }
        })
        .collect()
}

/// The files in which a test of that name may stand.
fn homes(module: &str) -> Vec<PathBuf> {
    let below = |folders: &[&str], rest: &str| {
        folders.iter().map(|folder| root().join(folder).join(format!("{rest}.rs"))).collect()
    };
    match module.split_once('/') {
        Some(("gateway", rest)) => below(&["gateway/src", "gateway/tests"], rest),
        Some(("todo", rest)) => below(&["todo-service/tests/api", "todo-service/src"], rest),
        Some(("demo", rest)) => below(&["deploy/demo/tests", "deploy/demo/src"], rest),
        _ => below(&["tests/system"], module),
    }
}

fn holds(file: &Path, test: &str) -> bool {
    std::fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("fn {test}(")))
}

#[test]
fn every_requirement_that_must_hold_has_a_row_with_a_test() {
    let rows = rows();
    let shown: BTreeSet<&str> = rows.iter().flat_map(|row| row.ids.split(", ")).collect();
    for (section, numbers) in MUST_HOLD {
        for number in *numbers {
            let id = format!("{section}-{number:02}");
            assert!(shown.contains(id.as_str()), "{id} has no row in tests/README.md");
        }
    }
    for row in rows {
        assert!(row.is_elsewhere || !row.tests.is_empty(), "{} names no test", row.ids);
    }
}

#[test]
fn every_test_that_the_table_names_exists() {
    for row in rows() {
        for name in row.tests {
            let (module, test) = name.rsplit_once("::").expect("module::test");
            let found = homes(module).iter().any(|file| holds(file, test));
            assert!(found, "{}: there is no {name}", row.ids);
        }
    }
}
