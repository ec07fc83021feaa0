//! `SECURITY.md`: every test that it names is there.

use std::path::Path;

use super::read;

fn functions(folder: &Path, found: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_test_that_shows_a_defence_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    for folder in ["src", "tests", "crates"] {
        functions(&root.join(folder), &mut code);
    }
    let page = read("SECURITY.md");
    let mut named = 0;
    for row in page.lines().filter(|line| line.starts_with("| ") && line.matches(" | ").count() == 3) {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let tests: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty() || cell == "shown by" || cell == "---", "nothing shows: {row}");
        for test in tests {
            let name = test.rsplit("::").next().unwrap();
            assert!(code.contains(&format!("fn {name}(")), "there is no test {test}");
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}
