use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::options::{name_of, sync_options, variable_of};
use super::{Failure, parse};
use crate::args::{Command, SyncArguments};

/// Options with valid values, none of which excludes another.
const VALUES: &[(&str, [&str; 3])] = &[
    ("bwlimit", ["5M", "off", "08:00,5M 18:00,off"]),
    ("checksum", ["md5", "sha1", "blake2b"]),
    ("modify-window", ["1s", "2s", "100ms"]),
    ("lanes", ["1", "7", "32"]),
    ("walkers", ["1", "2", "3"]),
    ("block-size", ["1M", "2M", "1000"]),
    ("queue-capacity", ["4", "5", "60"]),
    ("links", ["copy", "skip", "follow"]),
    ("hard-links", ["keep", "copy", "keep"]),
    ("specials", ["skip", "fail", "skip"]),
    ("write-mode", ["inplace", "atomic", "inplace"]),
    ("max-size", ["1G", "2G", "3G"]),
    ("min-size", ["0", "1", "2K"]),
    ("newer-than", ["2026-01-31", "2026-01-31T12:00:00Z", "2025-01-01"]),
    ("perms", ["true", "false", "true"]),
    ("owner", ["true", "false", "yes"]),
    ("xattrs", ["true", "false", "1"]),
    ("delete-extras", ["true", "true", "on"]),
    ("max-delete", ["5", "5%", "100"]),
    ("delete-other-file-systems", ["true", "false", "true"]),
    ("delete-excluded", ["true", "false", "0"]),
    ("one-file-system", ["true", "false", "true"]),
    ("rescan", ["true", "false", "true"]),
    ("exclude", ["*.tmp", "-x", "a\\b c"]),
    ("include", ["keep/", "/a", "\"quoted\""]),
];

/// What each layer sets: an option, and one of its values.
type Layer = BTreeMap<usize, usize>;

fn layer() -> impl Strategy<Value = Layer> {
    prop::collection::btree_map(0..VALUES.len(), 0..3_usize, 0..8)
}

fn pairs(layer: &Layer) -> impl Iterator<Item = (&'static str, &'static str)> {
    layer.iter().map(|(option, value)| (VALUES[*option].0, VALUES[*option].1[*value]))
}

fn words<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<OsString> {
    pairs.map(|(name, value)| format!("--{name}={value}").into()).collect()
}

/// Parses with a job and variables.
fn sync(job: &str, variables: &BTreeMap<String, String>, words: Vec<OsString>) -> Result<SyncArguments, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, format!("[job.it]\nsource = \"/a\"\ndest = \"/b\"\n{job}")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut all: Vec<OsString> = ["towpath", "sync", "--job=it", "--config"].map(OsString::from).to_vec();
    all.push(file.into());
    all.extend(words);
    match parse(&all, &|name| variables.get(name).map(OsString::from)) {
        Ok(arguments) => match arguments.command {
            Command::Sync(arguments) => Ok(*arguments),
            other => panic!("{other:?}"),
        },
        Err(Failure::Clap(error)) => Err(error.to_string()),
        Err(Failure::File(problem)) => Err(problem),
    }
}

fn toml(layer: &Layer) -> String {
    pairs(layer).map(|(name, value)| format!("{name} = {value:?}\n")).collect()
}

fn variables(layer: &Layer) -> BTreeMap<String, String> {
    pairs(layer)
        .map(|(name, value)| (format!("TOWPATH_{}", name.to_uppercase().replace('-', "_")), value.to_owned()))
        .collect()
}

/// What must come of three layers, without any of the code that does it.
fn merged(job: &Layer, environment: &Layer, line: &Layer) -> Vec<OsString> {
    let mut single = BTreeMap::new();
    let mut repeated = Vec::new();
    for (name, value) in pairs(job).chain(pairs(environment)).chain(pairs(line)) {
        if matches!(name, "exclude" | "include") {
            repeated.push((name, value));
        } else {
            single.insert(name, value);
        }
    }
    words(single.into_iter().chain(repeated))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_value_means_the_same_in_every_layer(job in layer(), environment in layer(), line in layer()) {
        let mut line = line;
        let deletes = VALUES.iter().position(|(name, _)| *name == "delete-extras").unwrap();
        line.insert(deletes, 0);
        let layered = sync(&toml(&job), &variables(&environment), words(pairs(&line))).unwrap();
        let flat = sync("", &BTreeMap::new(), merged(&job, &environment, &line)).unwrap();
        prop_assert_eq!(format!("{:?}", layered.options()), format!("{:?}", flat.options()));
    }
}

#[test]
fn every_option_has_a_variable_and_a_key_but_those_of_one_run() {
    let options = sync_options();
    let without: Vec<_> = options.iter().filter(|arg| variable_of(arg).is_none()).map(name_of).collect();
    assert_eq!(without, ["source", "dest", "job", "accept-new-tree"]);
    let bwlimit = options.iter().find(|arg| name_of(arg) == "bwlimit-max").unwrap();
    assert_eq!(variable_of(bwlimit).as_deref(), Some("TOWPATH_BWLIMIT_MAX"));
}

#[test]
fn patterns_of_all_layers_are_joined_and_the_command_line_has_the_last_word() {
    let job = "include = \"/a\"\nexclude = [\"/b\", \"/c\"]\n";
    let environment = [("TOWPATH_EXCLUDE", "/d\n/e\n"), ("TOWPATH_INCLUDE", "")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let line = ["--include=/f", "--exclude=/g", "--include=/h"].map(OsString::from).to_vec();
    let options = sync(job, &environment, line).unwrap().options().unwrap();
    assert_eq!(options.filter.fingerprint(), "+ /a\n- /b\n- /c\n- /d\n- /e\n+ /f\n- /g\n+ /h\n");
}

#[test]
fn a_flag_that_is_switched_off_takes_the_presets_with_it_that_need_it() {
    let job = "delete-extras = true\nmax-delete = 5\ntrash = \"/t\"\nverbose = 2\n";
    let parsed = |line: &[&str]| sync(job, &BTreeMap::new(), line.iter().map(OsString::from).collect());
    let all = parsed(&[]).unwrap();
    assert!(all.deletion.delete_extras && all.deletion.trash.is_some() && all.verbose == 2);
    let off = parsed(&["--delete-extras=false", "--verbose=0", "--accept-new-tree", "-q"]).unwrap();
    assert!(!off.deletion.delete_extras && off.deletion.trash.is_none() && off.verbose == 0 && off.accept_new_tree);
    // What is given on the command line stays an error.
    let given = parsed(&["--delete-extras=false", "--max-delete=7"]).unwrap_err();
    assert!(given.contains("--delete-extras") && given.contains("not provided"), "{given}");
    assert_eq!(parsed(&["-v"]).unwrap().verbose, 1, "not added to the job's");
    assert_eq!(parsed(&["-vvv"]).unwrap().verbose, 3);
}
