//! Checks which modules of the library use which, and which of them may use the outside world.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::{code, is_test, root, sources};

/// The top-level modules of the library. Each uses only modules with a lower number. So modules with the same number do
/// not use each other, and there are no circles.
const LAYERS: [(&str, u8); 15] = [
    ("model", 0),
    ("clock", 1),
    ("contract", 1),
    ("context", 2),
    ("definition", 3),
    ("registry", 4),
    ("skeleton", 4),
    ("telemetry", 4),
    ("store", 5),
    ("engine", 6),
    ("client", 7),
    ("http", 8),
    ("worker", 8),
    ("testing", 9),
    ("__rt", 10),
];

/// Something of the outside world that only some places may use. docs/architecture.md shows the same table.
pub(crate) struct Restricted {
    pub(crate) what: &'static str,
    /// The names as they appear in code.
    names: &'static [&'static str],
    /// Folders and files below `runtime/src`.
    pub(crate) places: &'static [&'static str],
}

pub(crate) const RESTRICTED: [Restricted; 10] = [
    Restricted {
        what: "a clock",
        names: &["Instant::now", "SystemTime::now", "Utc::now", "Local::now"],
        places: &["clock/", "http/", "store/postgres/", "store/sqlite/", "worker/"],
    },
    Restricted {
        what: "threads and tasks",
        names: &[
            "thread::spawn",
            "thread::Builder",
            "thread::scope",
            "thread::sleep",
            "thread::park",
            "tokio::spawn",
            "tokio::task",
            "tokio::runtime",
            "spawn_blocking",
        ],
        places: &["http/", "store/postgres/", "store/sqlite/", "worker/"],
    },
    Restricted {
        what: "Tokio's timer",
        names: &["tokio::time"],
        places: &["client/wait.rs", "http/", "store/postgres/"],
    },
    Restricted {
        what: "Tokio's channels and locks",
        names: &["tokio::sync", "tokio::select"],
        places: &[
            "client/",
            "context/cancellation.rs",
            "http/",
            "store/postgres/",
            "store/sqlite/",
            "testing/",
            "worker/",
        ],
    },
    Restricted { what: "the network", names: &["tokio::net", "std::net", "axum::", "hyper::"], places: &["http/"] },
    Restricted {
        what: "files, processes and the environment",
        names: &["std::fs", "std::env", "std::process", "fs::File"],
        places: &["http/keys.rs", "skeleton/assert.rs", "store/sqlite/", "worker/build/"],
    },
    Restricted { what: "random numbers", names: &["new_v4", "getrandom", "RandomState"], places: &["http/", "store/"] },
    Restricted {
        what: "the panic hook of the process",
        names: &["set_hook", "take_hook"],
        places: &["engine/poll.rs"],
    },
    Restricted { what: "SQLite", names: &["rusqlite"], places: &["store/sqlite/"] },
    Restricted { what: "PostgreSQL", names: &["tokio_postgres"], places: &["store/postgres/"] },
];

/// Returns the files of the library that are not tests: their paths below `runtime/src`, and their code.
fn library() -> Vec<(String, String)> {
    let source = root().join("runtime/src");
    let files = sources(&source).into_iter().filter(|path| !is_test(path));
    let inside = |path: &std::path::Path| path.strip_prefix(&source).expect("below it").to_string_lossy().into_owned();
    files.map(|path| (inside(&path), code(&path))).filter(|(path, _)| path != "lib.rs").collect()
}

/// Returns the top-level module to which a file belongs.
fn module(path: &str) -> &str {
    match path.split(['/', '.']).next() {
        Some("rt") => "__rt",
        other => other.unwrap_or_default(),
    }
}

/// Returns how many modules a file is below the root: one for `model/mod.rs` and for `registry.rs`.
fn depth(path: &str) -> usize {
    path.trim_end_matches(".rs").trim_end_matches("/mod").split('/').count()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Returns the paths in the tree of a `use`: those of `a::{b, c::{d as e}}` are `a::b` and `a::c::d`.
fn paths(tree: &str) -> Vec<String> {
    let Some((prefix, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        return if path.is_empty() { Vec::new() } else { vec![path.to_owned()] };
    };
    let (mut depth, mut begin, mut found) = (0, 0, Vec::new());
    for (place, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                found.extend(paths(&group[begin..place]).iter().map(|path| format!("{}{path}", prefix.trim())));
                begin = place + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

/// Whether a path can begin here. `$crate::`, `a::crate::` and `my_crate::` are other paths.
fn begins(code: &str, place: usize) -> bool {
    code[..place].chars().next_back().is_none_or(|c| !is_word(c) && c != '$' && c != ':')
}

/// Returns every path that is imported.
fn imports(code: &str) -> Vec<String> {
    let places = code.match_indices("use ").map(|(place, _)| place).filter(|place| begins(code, *place));
    places.flat_map(|place| paths(code[place + 4..].split(';').next().unwrap_or_default())).collect()
}

/// Returns the first names after `crate::`, and after as many `super::` as lead to the root. What follows `$crate::` is
/// written by a macro into the program of a user, and is not a use by this module.
fn named_at_root(code: &str, depth: usize) -> BTreeSet<String> {
    let to_root = "super::".repeat(depth);
    let first = |path: &str| path.chars().take_while(|c| is_word(*c)).collect::<String>();
    let imported = imports(code);
    let imported = imported.iter().filter_map(|path| {
        let path = path.trim_start_matches("::");
        path.strip_prefix("crate::").or_else(|| path.strip_prefix(to_root.as_str()))
    });
    let within = ["crate::", to_root.as_str()].into_iter().flat_map(|start| {
        let places = code.match_indices(start).map(|(place, _)| place).filter(|place| begins(code, *place));
        places.map(move |place| &code[place + start.len()..])
    });
    imported.chain(within).map(first).filter(|name| !["", "super"].contains(&name.as_str())).collect()
}

/// Returns what the root reexports: each name, and the module that it comes from.
fn reexports() -> BTreeMap<String, String> {
    let lib = fs::read_to_string(root().join("runtime/src/lib.rs")).expect("the root of the library");
    let code: Vec<&str> = lib.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let paths = imports(&code.join("\n"));
    let own = paths.iter().filter_map(|path| path.split_once("::")).filter(|(module, _)| *module != "crate");
    own.map(|(module, name)| (name.to_owned(), module.to_owned())).collect()
}

#[test]
fn every_form_of_an_import_is_seen() {
    let seen = |code, depth| named_at_root(code, depth).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(seen("use crate::engine::Partition;", 1), "engine");
    assert_eq!(
        seen("use crate::{client::{self, Wait}, engine};\npub(crate) use crate::worker as w;", 1),
        "client engine worker"
    );
    assert_eq!(seen("fn f() -> crate::engine::Turn { super::client::g() }", 1), "client engine");
    assert_eq!(seen("use super::super::{store, model::Head};\nuse super::near;", 2), "model store");
    assert_eq!(seen("$crate::__rt::f(); my_crate::g(); self::crate_like::h()", 1), "");
    assert!(reexports().get("Client").is_some_and(|module| module == "client"));
}

#[test]
fn imports_go_down_only() {
    let (layers, reexports) = (BTreeMap::from(LAYERS), reexports());
    let mut wrong = Vec::new();
    for (path, code) in library() {
        let own = module(&path);
        let Some(rank) = layers.get(own) else {
            wrong.push(format!("{path} belongs to no layer"));
            continue;
        };
        for name in named_at_root(&code, depth(&path)) {
            let used = reexports.get(&name).unwrap_or(&name);
            if used != own && layers.get(used.as_str()).is_some_and(|used| used >= rank) {
                wrong.push(format!("{path} uses crate::{name}, which belongs to `{used}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that go up or aside: {wrong:#?}");
}

/// The HTTP API uses only what every program can use, so a user could have written it.
#[test]
fn http_uses_what_a_user_could_use() {
    let reexports = reexports();
    let mut used = 0;
    let mut wrong = Vec::new();
    for (path, code) in library().into_iter().filter(|(path, _)| path.starts_with("http/")) {
        // Everything in `telemetry` is public.
        let used_here = named_at_root(&code, depth(&path)).into_iter();
        for name in used_here.filter(|name| name != "http" && name != "telemetry") {
            used += 1;
            if !reexports.contains_key(&name) {
                wrong.push(format!("{path} uses crate::{name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "the root does not reexport these: {wrong:#?}");
    assert!(used > 20, "only {used} names were found");
}

/// Names the types that an orchestrator must not use, so that the compiler can recognise them.
const KNOWN_NAMES: &str = "contract/known_names.rs";

/// The code of [`KNOWN_NAMES`] without its list of types. The list must hold types alone, and the macro that reads it must
/// use each of them as the parameter of `Known` alone, so that no function of a listed type can be called.
fn without_known_types(code: &str) -> Result<String, String> {
    let (before, rest) = code.split_once("\nknown! {").ok_or("the list is missing")?;
    let (list, after) = rest.split_once('}').ok_or("the list has no end")?;
    let is_path = |entry: &str| entry.split("::").all(|word| !word.is_empty() && word.chars().all(is_word));
    let mut entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    if let Some(other) = entries.find(|entry| !is_path(entry)) {
        return Err(format!("`{other}` is more than the path of a type"));
    }
    let allowed = ["$type:ty", "impl Known<$type> {"].map(|text| before.matches(text).count());
    if allowed != [1, 1] || before.matches("$type").count() != 2 {
        return Err("the macro uses a type for something else".to_owned());
    }
    Ok(format!("{before}{after}"))
}

#[test]
fn a_list_of_known_types_that_could_do_more_is_found() {
    let code = |uses: &str, list: &str| {
        let reads = "macro_rules! known { ($($type:ty),*) => {$( impl Known<$type> {";
        without_known_types(&format!("{reads} {uses} }} )*}}; }}\nknown! {{ {list} }}\nfn f() {{ fs::read() }}"))
    };
    let kept = code("", "std::fs::File, std::time::Instant,").expect("only types");
    assert!(kept.contains("fs::read()") && !kept.contains("std::fs::File"), "{kept}");
    assert!(code("const NOW: () = <$type>::now();", "std::time::Instant").is_err());
    assert!(code("", "std::time::Instant, std::time::Instant::now()").is_err());
    assert!(without_known_types("fn f() {}").is_err());
}

#[test]
fn only_some_places_touch_the_outside() {
    let mut wrong = Vec::new();
    let every =
        RESTRICTED.iter().flat_map(|restricted| restricted.places.iter().map(|place| (restricted.what, *place)));
    let mut unused: BTreeSet<(&str, &str)> = every.collect();
    for (path, code) in library() {
        let code = if path == KNOWN_NAMES { without_known_types(&code).expect("a list of types") } else { code };
        // The groups of imports are written out, so that `use tokio::{sync, time}` is found.
        let code = format!("{code}\n{}", imports(&code).join("\n"));
        for Restricted { what, names, places } in RESTRICTED {
            let Some(name) = names.iter().find(|name| code.contains(**name)) else { continue };
            match places.iter().find(|place| path.starts_with(**place)) {
                Some(place) => drop(unused.remove(&(what, *place))),
                None => wrong.push(format!("{path} touches {what}: {name}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(unused.is_empty(), "these may touch the outside and do not: {unused:?}");
}

/// For a store, records and messages are only bytes.
#[test]
fn a_store_looks_inside_no_record() {
    let inside = ["TurnRecord", "Message", "wire", "prost", "decode_record"];
    let mut wrong = Vec::new();
    for (path, code) in library().into_iter().filter(|(path, _)| path.starts_with("store/")) {
        let words: BTreeSet<&str> = code.split(|c| !is_word(c)).collect();
        wrong.extend(inside.iter().filter(|name| words.contains(*name)).map(|name| format!("{path} uses {name}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// After a loop over a hash map, the sort must begin within this many characters, not counting spaces.
const SORTED_WITHIN: usize = 150;

/// Nothing in the engine may depend on the order of a hash map: keys are only looked up, and results of a loop are
/// sorted.
#[test]
fn the_engine_depends_on_no_order_of_hashes() {
    let engine: Vec<_> = library().into_iter().filter(|(path, _)| path.starts_with("engine/")).collect();
    let is_map = |line: &&str| ["HashMap<", "HashSet<"].iter().any(|kind| line.contains(kind));
    let maps: BTreeSet<&str> = engine
        .iter()
        .flat_map(|(_, code)| code.lines().filter(is_map))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.trim().rsplit([' ', '(']).next().unwrap_or_default())
        .collect();
    assert!(maps.contains("slots") && maps.contains("ids"), "{maps:?}");
    let walks = ["iter()", "iter_mut()", "into_iter()", "keys()", "values()", "values_mut()", "drain(", "retain("];
    let mut wrong = Vec::new();
    for (path, code) in &engine {
        // A call chain that rustfmt has split is joined into one line again.
        let code: String = code.split_whitespace().collect();
        for map in &maps {
            let walked = walks.iter().map(|walk| format!("{map}.{walk}"));
            let walked = walked.chain(["in&self.", "in&mutself.", "inself."].map(|start| format!("{start}{map}{{")));
            for walk in walked {
                let behind = code.match_indices(&walk).map(|(place, _)| code[place..].chars().take(SORTED_WITHIN));
                let unsorted = behind.filter(|text| !text.clone().collect::<String>().contains(".sort"));
                wrong.extend(unsorted.map(|_| format!("{path}: {walk}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
