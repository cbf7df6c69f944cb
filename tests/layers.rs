//! The architecture as a test. If it fails, move the code; do not move the line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Layers from the bottom up. A module imports only from layers below its own.
const LAYERS: &[&[&str]] = &[
    &["base"],
    &[
        "plan",
        "flow",
        "pace",
        "verify",
        "evidence",
        "posture",
        "preflight",
        "sift",
        "wire",
    ],
    &["port"],
    &["engine"],
    &["transport"],
    &["exchange", "graph", "store", "screen", "lab", "report"],
    &["cli"],
];

/// Where a module may use less than its layer allows: the lab must not count with the code under test, and an adapter never calls the engine.
const NARROWER: &[(&str, &[&str])] = &[
    ("lab", &["base", "plan", "wire", "port"]),
    ("exchange", &["base", "wire", "port", "transport"]),
    ("graph", &["base", "wire", "port", "transport"]),
    ("store", &["base", "flow", "port"]),
    ("screen", &["base", "sift", "wire", "port"]),
    ("transport", &["base", "port"]),
    (
        "report",
        &["base", "flow", "verify", "evidence", "plan", "port"],
    ),
    (
        "engine",
        &[
            "base",
            "plan",
            "flow",
            "pace",
            "verify",
            "evidence",
            "preflight",
            "wire",
            "port",
        ],
    ),
];

/// What has no place in layers 0 and 1.
const FOREIGN: &[&str] = &[
    "async ",
    ".await",
    "tokio",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "Instant",
    "time::SystemTime",
    "SystemTime::",
    "Timestamp::now",
];

/// Lines of code of a file, without its tests.
const FILE_LINES_MAX: usize = 500;

/// Lines of a function.
const FUNCTION_LINES_MAX: usize = 80;

struct Source {
    path: PathBuf,
    /// The module under `src`: `store` for `src/store/codec.rs`; empty for `lib.rs` and `main.rs`.
    module: String,
    text: String,
    /// Without comments, text literals and tests.
    code: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut out = Vec::new();
    let mut waiting = vec![src.clone()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(&dir).expect("src is readable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = std::fs::read_to_string(&path).expect("UTF-8");
                let inside = path.strip_prefix(&src).expect("under src");
                let module = match inside.components().count() {
                    1 => String::new(),
                    _ => inside
                        .components()
                        .next()
                        .expect("a component")
                        .as_os_str()
                        .to_string_lossy()
                        .into_owned(),
                };
                out.push(Source {
                    code: code_of(&text),
                    path: path.strip_prefix(root()).expect("under root").to_owned(),
                    module,
                    text,
                });
            }
        }
    }
    out.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(out.len() > 50, "the walk found the sources");
    out
}

/// The text without comments, string literals and what is for tests only; line ends stay.
fn code_of(text: &str) -> String {
    let bare = without_literals(text);
    let mut out = String::new();
    let mut depth_of_test: Option<usize> = None;
    let (mut depth, mut pending) = (0usize, false);
    for line in bare.lines() {
        if depth_of_test.is_none() && line.trim_start().starts_with("#[cfg(test)]") {
            pending = true;
        }
        let opens = line.matches('{').count();
        let closes = line.matches('}').count();
        if pending && opens > 0 {
            depth_of_test = Some(depth);
            pending = false;
        } else if pending && line.trim_end().ends_with(';') {
            // `mod tests;` in a file of its own.
            pending = false;
            out.push('\n');
            continue;
        }
        let in_test = depth_of_test.is_some() || pending;
        depth = (depth + opens).saturating_sub(closes);
        if depth_of_test.is_some_and(|at| depth <= at) {
            depth_of_test = None;
        }
        if !in_test {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

fn without_literals(text: &str) -> String {
    let mut out = String::new();
    let bytes: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < bytes.len() {
        let c = bytes[at];
        let next = bytes.get(at + 1).copied().unwrap_or(' ');
        match (c, next) {
            ('/', '/') => {
                while at < bytes.len() && bytes[at] != '\n' {
                    at += 1;
                }
            }
            ('r', '"' | '#') if !prev_is_word(&bytes, at) => {
                let hashes = bytes[at + 1..].iter().take_while(|c| **c == '#').count();
                if bytes.get(at + 1 + hashes) == Some(&'"') {
                    at += 2 + hashes;
                    let ends = |at: usize| {
                        bytes[at] == '"'
                            && bytes[at + 1..]
                                .iter()
                                .take(hashes)
                                .filter(|c| **c == '#')
                                .count()
                                == hashes
                    };
                    while at < bytes.len() && !ends(at) {
                        if bytes[at] == '\n' {
                            out.push('\n');
                        }
                        at += 1;
                    }
                    at += 1 + hashes;
                } else {
                    out.push(c);
                    at += 1;
                }
            }
            ('"', _) => {
                at += 1;
                while at < bytes.len() && bytes[at] != '"' {
                    if bytes[at] == '\n' {
                        out.push('\n');
                    }
                    at += if bytes[at] == '\\' { 2 } else { 1 };
                }
                at += 1;
            }
            ('\'', '\\') => {
                at += 3;
                while at < bytes.len() && bytes[at] != '\'' {
                    at += 1;
                }
                at += 1;
            }
            ('\'', _) if bytes.get(at + 2) == Some(&'\'') => at += 3,
            _ => {
                out.push(c);
                at += 1;
            }
        }
    }
    out
}

fn prev_is_word(bytes: &[char], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_alphanumeric() || bytes[at - 1] == '_')
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Every `crate::name` in the code.
fn imports(code: &str) -> BTreeSet<String> {
    code.match_indices("crate::")
        .map(|(at, word)| {
            code[at + word.len()..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_module_has_a_layer() {
    let known: BTreeSet<&str> = LAYERS
        .iter()
        .flat_map(|layer| layer.iter().copied())
        .collect();
    let found: BTreeSet<String> = sources().into_iter().map(|file| file.module).collect();
    let found: BTreeSet<&str> = found
        .iter()
        .map(String::as_str)
        .filter(|m| !m.is_empty())
        .collect();
    assert_eq!(found, known);
}

#[test]
fn modules_import_only_from_below() {
    let mut faults = Vec::new();
    for file in sources() {
        let Some(own) = layer_of(&file.module) else {
            continue;
        };
        for import in imports(&file.code) {
            if import == file.module {
                continue;
            }
            let below = layer_of(&import).is_some_and(|layer| layer < own);
            let narrower = NARROWER
                .iter()
                .find(|(module, _)| *module == file.module)
                .is_none_or(|(_, allowed)| allowed.contains(&import.as_str()));
            if !below || !narrower {
                faults.push(format!(
                    "{}: `{}` may not use `{import}`",
                    file.path.display(),
                    file.module
                ));
            }
        }
    }
    report(&faults);
}

#[test]
fn the_pure_layers_stay_pure() {
    let mut faults = Vec::new();
    let files = sources();
    for file in files.iter().filter(|file| !is_for_tests(file, &files)) {
        if layer_of(&file.module).is_some_and(|layer| layer <= 1) {
            for word in FOREIGN.iter().filter(|word| file.code.contains(**word)) {
                let path = file.path.display();
                faults.push(format!("{path}: `{word}` has no place in a pure layer"));
            }
        }
    }
    report(&faults);
}

#[test]
fn every_file_says_what_lives_there() {
    let mut faults = Vec::new();
    for file in sources() {
        let head = file.text.lines().next().unwrap_or_default();
        if !head.starts_with("//! ") || head.len() < 12 {
            faults.push(format!("{}: no `//!` head", file.path.display()));
        }
    }
    report(&faults);
}

#[test]
fn files_are_chapters_and_functions_fit_a_screen() {
    let mut faults = Vec::new();
    let files = sources();
    for file in files.iter().filter(|file| !is_for_tests(file, &files)) {
        let path = file.path.display();
        let lines = file
            .code
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count();
        if lines > FILE_LINES_MAX {
            faults.push(format!(
                "{path}: {lines} lines of code, {FILE_LINES_MAX} allowed"
            ));
        }
        for (name, lines) in functions(&file.code) {
            if lines > FUNCTION_LINES_MAX {
                faults.push(format!(
                    "{path}: fn {name} has {lines} lines, {FUNCTION_LINES_MAX} allowed"
                ));
            }
        }
    }
    report(&faults);
}

/// True for a file whose `mod` line stands under `#[cfg(test)]`.
fn is_for_tests(file: &Source, files: &[Source]) -> bool {
    let name = file.path.file_stem().expect("a name").to_string_lossy();
    let list = file.path.with_file_name("mod.rs");
    is_named_by_path(file, files)
        || files
            .iter()
            .filter(|other| other.path == list)
            .any(|other| other.text.contains(&format!("#[cfg(test)]\nmod {name};")))
}

/// True for the tests of a neighbour that keeps them in a file of their own, by `#[path]`.
fn is_named_by_path(file: &Source, files: &[Source]) -> bool {
    let name = file.path.file_name().expect("a name").to_string_lossy();
    let line = format!("#[cfg(test)]\n#[path = \"{name}\"]\nmod tests;");
    files
        .iter()
        .filter(|other| other.path.parent() == file.path.parent())
        .any(|other| other.text.contains(&line))
}

/// Functions with their lengths, by counting braces from `fn` on.
fn functions(code: &str) -> BTreeMap<String, usize> {
    let mut out = BTreeMap::new();
    let lines: Vec<&str> = code.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let Some(start) = line.find("fn ").filter(|start| {
            *start == 0 || line[..*start].ends_with(' ') || line[..*start].ends_with('(')
        }) else {
            continue;
        };
        let name: String = line[start + 3..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if name.is_empty() {
            continue;
        }
        let (mut depth, mut begun) = (0usize, false);
        for (length, line) in lines[at..].iter().enumerate() {
            depth += line.matches('{').count();
            begun |= depth > 0;
            depth = depth.saturating_sub(line.matches('}').count());
            if begun && depth == 0 {
                out.insert(format!("{name} (line {})", at + 1), length + 1);
                break;
            }
            if !begun && line.trim_end().ends_with(';') {
                break;
            }
        }
    }
    out
}

#[test]
fn no_file_is_an_orphan() {
    let files = sources();
    let mut faults = Vec::new();
    for file in &files {
        let name = file.path.file_stem().expect("a name").to_string_lossy();
        if matches!(&*name, "lib" | "main") {
            continue;
        }
        let dir = file.path.parent().expect("a directory");
        let (word, home) = if name == "mod" {
            let word = dir
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (word, dir.parent().expect("a directory"))
        } else {
            (name.into_owned(), dir)
        };
        let parents = [
            home.join("mod.rs"),
            home.join("lib.rs"),
            home.with_extension("rs"),
        ];
        let declared = files
            .iter()
            .filter(|other| parents.contains(&other.path))
            .any(|other| other.text.contains(&format!("mod {word};")))
            || is_named_by_path(file, &files);
        if !declared {
            faults.push(format!("{}: no `mod {word};`", file.path.display()));
        }
    }
    report(&faults);
}

/// A chapter that nobody names would be compiled by nothing and run by nobody.
#[test]
fn every_chapter_of_tests_is_in_the_one_program() {
    let all = std::fs::read_to_string(root().join("tests/all.rs")).expect("UTF-8");
    let mut faults = Vec::new();
    for entry in std::fs::read_dir(root().join("tests")).expect("tests is readable") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let holds_code =
            path.extension().is_some_and(|ext| ext == "rs") || path.join("mod.rs").exists();
        if holds_code && name != "all" && !all.contains(&format!("mod {name};\n")) {
            faults.push(format!(
                "{}: no `mod {name};` in tests/all.rs",
                path.display()
            ));
        }
    }
    report(&faults);
}

#[test]
fn lists_of_modules_hold_no_code() {
    let mut faults = Vec::new();
    for file in sources() {
        if file.path.ends_with("mod.rs") {
            for name in functions(&file.code).keys() {
                faults.push(format!(
                    "{}: fn {name} in a list of modules",
                    file.path.display()
                ));
            }
        }
    }
    report(&faults);
}

#[test]
fn the_reader_of_sources_sees_what_it_should() {
    let text = "//! x\nuse crate::a::B; // crate::c\nlet s = \"crate::d { \"; let c = '{';\n\
        #[cfg(test)]\nmod tests {\n    use crate::e;\n    fn f() { { } }\n}\nfn g() {\n    1;\n}\nlet r = r#\"crate::h \" \"#;\n";
    let code = code_of(text);
    assert_eq!(imports(&code), ["a".to_owned()].into());
    assert_eq!(functions(&code).into_values().collect::<Vec<_>>(), [3]);
    assert_eq!(text.lines().count(), code.lines().count());
}
