//! Jobs of the configuration file, options from the environment, and `towpath config show`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::common::*;

/// Writes a configuration file that begins with the job `it`, of the bench's trees.
fn configure(bench: &Bench, rest: &str) -> PathBuf {
    let [source, dest] = [bench.source(), bench.dest()];
    let file = bench.path("config.toml");
    fs::write(&file, format!("[job.it]\nsource = {source:?}\ndest = {dest:?}\n{rest}")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

/// Runs `towpath` in the bench's folder, with these variables.
fn towpath(bench: &Bench, variables: &[(&str, &str)], words: &[&str]) -> ProcessOutput {
    let mut command = command(bench, words);
    command.envs(variables.iter().copied());
    end(command.spawn().unwrap())
}

fn command(bench: &Bench, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.env_clear().env("XDG_STATE_HOME", bench.path("state")).env("HOME", bench.path("home"));
    command.current_dir(bench.path("")).args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

const SYNC: [&str; 5] = ["sync", "--config", "config.toml", "--job", "it"];

fn sync(bench: &Bench, variables: &[(&str, &str)], words: &[&str]) -> ProcessOutput {
    towpath(bench, variables, &[&SYNC[..], words].concat())
}

fn names(bench: &Bench) -> Vec<String> {
    tree(&bench.dest())
        .keys()
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn a_job_has_trees_and_options() {
    let bench = Bench::new();
    for name in ["a", "b.tmp", "keep.tmp"] {
        bench.write(name, name);
    }
    configure(
        &bench,
        "exclude = [\n  \"*.tmp\",\n]\ninclude = \"keep.tmp\"\ndelete-extras = true\nmax-delete = \"100%\"\n",
    );
    write(&bench.dest(), "extra", "");
    sync(&bench, &[], &[]).with_status(0);
    assert_eq!(names(&bench), ["a", "keep.tmp"]);
    // The default file is found as without a job.
    let home = bench.path("home/.config/towpath");
    fs::create_dir_all(&home).unwrap();
    fs::rename(bench.path("config.toml"), home.join("config.toml")).unwrap();
    let listed = towpath(&bench, &[], &["sync", "--job", "it", "--exclude", "keep.tmp", "--dry-run"]).with_status(0);
    assert!(!listed.stdout.contains("b.tmp"), "{}", listed.stdout);
}

#[test]
fn the_command_line_comes_before_the_environment_and_that_before_the_job() {
    let bench = Bench::new();
    configure(&bench, "checksum = \"md5\"\n");
    let algorithm = |variables: &[(&str, &str)], words: &[&str]| {
        bench.write(format!("{variables:?}, {words:?}"), "a");
        sync(&bench, variables, &[&["--log-file", "log"], words].concat()).with_status(0);
        let lines = read_log(&bench.path("log"));
        lines.iter().rev().find_map(|line| Some(line["algorithm"].as_str()?.to_owned())).unwrap()
    };
    assert_eq!(algorithm(&[], &[]), "md5");
    // An empty variable is none.
    assert_eq!(algorithm(&[("TOWPATH_CHECKSUM", "")], &[]), "md5");
    assert_eq!(algorithm(&[("TOWPATH_CHECKSUM", "sha1")], &[]), "sha1");
    assert_eq!(algorithm(&[("TOWPATH_CHECKSUM", "sha1")], &["--checksum", "blake2b"]), "blake2b");
}

#[test]
fn the_environment_holds_without_a_job_too() {
    let bench = Bench::new();
    for name in ["a", "b", "c"] {
        bench.write(name, "");
    }
    let [source, dest] = [bench.source(), bench.dest()];
    let trees = ["sync", source.to_str().unwrap(), dest.to_str().unwrap()];
    towpath(&bench, &[("TOWPATH_EXCLUDE", "a\nb")], &trees).with_status(0);
    assert_eq!(names(&bench), ["c"]);
}

#[test]
fn trees_of_the_command_line_replace_those_of_the_job() {
    let bench = Bench::new();
    bench.write("a", "a");
    configure(&bench, "exclude = \"b\"\n");
    let other = bench.path("other");
    let source = bench.source();
    sync(&bench, &[], &[source.to_str().unwrap(), other.to_str().unwrap()]).with_status(0);
    assert!(other.join("a").exists() && !bench.dest().exists());
    let ended = sync(&bench, &[], &[source.to_str().unwrap()]).with_status(2);
    assert!(ended.stderr.contains("give both SOURCE and DEST, or neither"), "{}", ended.stderr);
}

#[test]
fn a_flag_can_be_switched_off() {
    let bench = Bench::new();
    bench.write("a", "a");
    configure(&bench, "delete-extras = true\nmax-delete = 100\nrescan = true\n");
    write(&bench.dest(), "extra", "");
    sync(&bench, &[("TOWPATH_RESCAN", "false")], &["--delete-extras=false"]).with_status(0);
    assert_eq!(names(&bench), ["a", "extra"]);
    sync(&bench, &[], &[]).with_status(0);
    assert_eq!(names(&bench), ["a"]);
}

#[test]
fn an_invalid_value_names_its_origin() {
    let bench = Bench::new();
    bench.write("a", "a");
    for (job, variables, words, problem, origin) in [
        ("bwlimit = \"20Q\"\n", &[][..], &[][..], "invalid value '20Q'", "config.toml, line 4"),
        ("\nlanes = 0\n", &[], &[], "from 1 to 1024", "config.toml, line 5"),
        ("exclude = [\n\"a\",\n\"[b\"]\n", &[], &[], "pattern `[b`", "config.toml, line 6"),
        ("perms = 5\n", &[], &[], "use true or false", "config.toml, line 4"),
        ("links = \"skim\"\n", &[], &[], "[possible values: copy, skip, follow]", "config.toml, line 4"),
        // Also if it is not in force.
        ("lanes = \"x\"\n", &[], &["--lanes", "3"], "invalid value 'x'", "config.toml, line 4"),
        ("", &[("TOWPATH_BWLIMIT", "20Q")], &[], "invalid value '20Q'", "environment variable TOWPATH_BWLIMIT"),
        ("", &[("TOWPATH_PERMS", "maybe")], &[], "use true or false", "environment variable TOWPATH_PERMS"),
        // Rules between options.
        ("max-delete = 5\n", &[], &[], "--delete-extras", "--max-delete is from config.toml, line 4"),
        ("bwlimit-max = \"5M\"\n", &[("TOWPATH_BWLIMIT", "5M")], &[], "needs --bwlimit auto", "config.toml, line 4"),
        (
            "then-scan = true\n",
            &[],
            &["--rescan"],
            "cannot be used with",
            "--then-scan is from config.toml, line 4; --then-scan=false switches it off",
        ),
    ] {
        configure(&bench, job);
        let ended = sync(&bench, variables, words).with_status(2);
        assert!(ended.stderr.contains(problem) && ended.stderr.contains(origin), "{job}: {}", ended.stderr);
        assert!(!bench.dest().exists() && !bench.path("state").exists());
    }
    // A value of the command line has no such note.
    configure(&bench, "exclude = \"a\"\n");
    let ended = sync(&bench, &[], &["--exclude", "[b"]).with_status(2);
    assert!(ended.stderr.contains("[b") && !ended.stderr.contains("line 4"), "{}", ended.stderr);
}

#[test]
fn an_invalid_tree_of_a_job_is_not_repeated() {
    let bench = Bench::new();
    configure(&bench, "[job.other]\nsource = \"/a\"\ndest = \"sftp://me:hunter2@host/x\"\n");
    let words = ["--config", "config.toml", "--job", "other"];
    let ended = towpath(&bench, &[], &[&["sync"], &words[..]].concat()).with_status(2);
    assert!(ended.stderr.contains("password") && ended.stderr.contains("config.toml, line 6"), "{}", ended.stderr);
    let shown = towpath(&bench, &[], &[&["config", "show"], &words[..]].concat()).with_status(0);
    let status = towpath(&bench, &[], &[&["status"], &words[..]].concat()).with_status(2);
    assert!(status.stderr.contains("dest of [job.other] in config.toml"), "{}", status.stderr);
    for text in [ended.stderr, shown.stdout, status.stderr] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn unknown_names_are_errors_with_the_nearest_one() {
    let bench = Bench::new();
    for (key, expected) in [
        ("bwlimt = \"5M\"", "unknown key `bwlimt` in [job.it]: did you mean `bwlimit`?"),
        ("desst = \"/x\"", "unknown key `desst` in [job.it]: did you mean `dest`?"),
        ("qqq = 5", "unknown key `qqq` in [job.it]"),
        ("accept-new-tree = true", "`accept-new-tree` in [job.it]: it can only be given on the command line"),
        ("config = \"x\"", "`config` in [job.it]: it can only be given on the command line"),
        ("lanes = [1]", "`lanes` in [job.it]: it takes one value, not a list"),
        ("lanes = {}", "`lanes` is not a string, a number or a boolean"),
    ] {
        configure(&bench, &format!("{key}\n[job.homes]\n"));
        for command in [&["sync"][..], &["config", "show"]] {
            let words = [command, &["--config", "config.toml", "--job", "it"]].concat();
            let ended = towpath(&bench, &[], &words).with_status(2);
            assert_eq!(ended.stderr, format!("towpath: config.toml, line 4: {expected}\n"));
        }
    }
    configure(&bench, "[job.homes]\n");
    for command in [&["sync"][..], &["config", "show"], &["status"], &["ctl", "stop"]] {
        let words = [command, &["--config", "config.toml", "--job", "x"]].concat();
        let ended = towpath(&bench, &[], &words);
        assert_eq!(
            (ended.status, ended.stderr.as_str()),
            (2, "towpath: no job `x` in config.toml; it has: homes, it\n")
        );
    }
    let ended = towpath(&bench, &[], &["sync", "--job", "x"]).with_status(2);
    assert!(ended.stderr.contains("no job `x`") && ended.stderr.contains("--config"), "{}", ended.stderr);
}

#[test]
fn a_job_runs_without_a_home() {
    let bench = Bench::new();
    bench.write("a", "a");
    let (database, log) = (bench.database(), bench.log_file());
    configure(&bench, &format!("database = {database:?}\nlog-file = {log:?}\n"));
    let mut command = command(&bench, &SYNC);
    command.env_remove("HOME").env_remove("XDG_STATE_HOME");
    end(command.spawn().unwrap()).with_status(0);
    assert!(database.exists() && bench.dest().join("a").exists());
}

#[test]
fn a_configuration_from_a_pipe_is_read_once() {
    let bench = Bench::new();
    bench.write("a", "a");
    let text = fs::read(configure(&bench, "[s3]\nregion = \"x\"\n")).unwrap();
    let mut command = command(&bench, &["sync", "--job", "it"]);
    let mut running = command.env("TOWPATH_CONFIG", "/dev/stdin").stdin(Stdio::piped()).spawn().unwrap();
    running.stdin.take().unwrap().write_all(&text).unwrap();
    end(running).with_status(0);
    assert!(bench.dest().join("a").exists());
}

#[test]
fn status_and_ctl_find_the_migration_of_a_job() {
    let bench = Bench::new();
    bench.write("a", "a");
    configure(&bench, "");
    let job = ["--config", "config.toml", "--job", "it"];
    let status = |variables: &[(&str, &str)]| towpath(&bench, variables, &[&["status"], &job[..]].concat());
    assert!(status(&[]).with_status(1).stderr.contains("there is no migration"));
    let json = towpath(&bench, &[], &[&["status", "--json"], &job[..]].concat()).with_status(1).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["source"].as_str(), bench.source().to_str());
    sync(&bench, &[], &[]).with_status(0);
    assert!(status(&[]).with_status(0).stdout.contains(bench.dest().to_str().unwrap()));
    // With a database of its own, and one of the environment, which comes first for each command.
    let own = [("TOWPATH_DATABASE", "own.db")];
    configure(&bench, "database = \"job.db\"\nlog-file = \"job.log\"\n");
    for (variables, database) in [(&[][..], "job.db"), (&own, "own.db")] {
        assert!(status(variables).with_status(1).stderr.contains(database));
        for words in [&["pause"][..], &["limit", "20M"], &["limit", "--reset"]] {
            let words = [&["ctl"], words, &job[..]].concat();
            let ended = towpath(&bench, variables, &words).with_status(1);
            assert!(ended.stderr.contains(&format!("no run with the database {database} answers")), "{}", ended.stderr);
        }
        sync(&bench, variables, &[]).with_status(0);
        status(variables).with_status(0);
    }
    for words in [&["status", "/a", "/b"][..], &["ctl", "pause", "/a", "/b"], &["ctl", "limit", "20M", "/a", "/b"]] {
        towpath(&bench, &[], &[words, &job[..]].concat()).with_status(2);
    }
}

#[test]
fn config_show_prints_each_value_and_its_origin() {
    let bench = Bench::new();
    let job =
        "bwlimit = \"08:00,5M 18:00,off\"\ndelete-extras = true\nexclude = [\"*.tmp\", \"/cache/\"]\nlanes = 32\n";
    configure(&bench, &format!("{job}[job.homes]\n"));
    let variables = [("TOWPATH_CHECKSUM", "md5"), ("TOWPATH_EXCLUDE", "*.bak"), ("TOWPATH_BWLIMTI", "5M")];
    let words = ["config", "show", "--config", "config.toml"];
    let shown = towpath(&bench, &variables, &[&words[..], &["--job", "it"]].concat()).with_status(0);
    let folder = bench.path("").display().to_string();
    assert!(shown.stdout.starts_with(&format!("source                     {folder}old  config.toml, line 2\n")));
    // The folder of the bench has no place in a snapshot.
    let is_set = |line: &&str| !line.ends_with(" default") && !line.contains(&folder);
    let set: Vec<_> = shown.stdout.lines().filter(is_set).collect();
    let cells =
        |line: &&str| line.split("  ").filter(|word| !word.is_empty()).map(str::trim).collect::<Vec<_>>().join("  ");
    insta::assert_snapshot!(set.iter().map(cells).collect::<Vec<_>>().join("\n"), @r"
    bwlimit  08:00,5M 18:00,off  config.toml, line 4
    checksum  md5  TOWPATH_CHECKSUM
    lanes  32  config.toml, line 7
    delete-extras  true  config.toml, line 5
    exclude  *.tmp  config.toml, line 6
    exclude  /cache/  config.toml, line 6
    exclude  *.bak  TOWPATH_EXCLUDE
    ");
    assert_eq!(shown.stderr, "note: TOWPATH_BWLIMTI is set, but no option has this variable\n");
    let defaults = shown.stdout.lines().filter(|line| line.ends_with("default"));
    let defaults: Vec<_> = defaults.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "perms false default",
        "block-size 5M default",
        "links copy default",
        "max-delete (10%, and at least 100) default",
    ] {
        assert!(defaults.iter().any(|default| default == line), "{line}: {defaults:?}");
    }
    // Without a job: the environment, and the jobs there are.
    let shown = towpath(&bench, &variables, &words).with_status(0);
    assert!(shown.stdout.ends_with("jobs: homes, it\n") && !shown.stdout.contains("08:00"), "{}", shown.stdout);
    // Values that cannot be used together are printed, and then the error.
    configure(&bench, "max-delete = 5\n");
    let shown = towpath(&bench, &[], &[&words[..], &["--job", "it"]].concat()).with_status(2);
    assert!(shown.stdout.contains("config.toml, line 4") && shown.stderr.contains("--delete-extras"));
}

#[test]
fn config_show_is_json_on_request_and_shows_no_secret() {
    let bench = Bench::new();
    configure(
        &bench,
        "[s3]\nregion = \"eu-central-1\"\nsecret_access_key = \"hunter2\"\n[\"other://x\"]\nkey = \"hunter2\"\n",
    );
    let variables = [("TOWPATH_BWLIMIT", "5M"), ("AWS_SESSION_TOKEN", "hunter2"), ("AWS_REGION", "hidden")];
    for format in ["text", "json"] {
        let words = ["config", "show", "--config", "config.toml", "--job", "it", "--format", format];
        let shown = towpath(&bench, &variables, &words).with_status(0);
        assert!(!shown.stdout.contains("hunter2") && !shown.stdout.contains("hidden"), "{}", shown.stdout);
        if format == "text" {
            continue;
        }
        let rows: Vec<serde_json::Value> =
            shown.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let find = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}"));
        let environment = serde_json::json!({ "kind": "environment", "variable": "TOWPATH_BWLIMIT" });
        assert_eq!((&find("bwlimit")["value"], &find("bwlimit")["origin"]), (&"5M".into(), &environment));
        let dest = serde_json::json!({ "kind": "file", "path": "config.toml", "line": 3 });
        assert_eq!(find("dest")["origin"], dest);
        assert_eq!(find("lanes")["origin"], serde_json::json!({ "kind": "default" }));
        assert_eq!(find("secret_access_key")["value"], "(set)");
        assert_eq!(find("key")["value"], "(set)", "what is unknown may be a secret");
        if cfg!(feature = "s3") {
            assert_eq!(find("region")["value"], "eu-central-1");
            assert_eq!(find("session_token")["origin"]["variable"], "AWS_SESSION_TOKEN");
        }
    }
}
