//! Builds the report from the database, the logs and the manifest.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use towpath::{
    AcceptedEntry, Account, ByKind as Counted, ExceptionList, NameClass, NameKind, Overview, RateSample,
    Reconciliation, RecordedOutcome, RecordedRun, RecordedVerification, Side, UpperBound, VerifyClass,
};

use super::model::{
    Acceptance, Amount, ByKind, Class, Difference, Differences, Exception, Exceptions, Manifest, NotMatching, Reason,
    Report, RoundTrips, Run, Sample, Scope, SizeRange, SlowFile, State, Throughput, Totals, Verification, Verified,
    VerifyPass,
};
use super::{deletions, manifest};
use crate::format::moment;

/// What a report is made of.
pub(crate) struct Asked<'a> {
    pub(crate) database: &'a Path,
    pub(crate) manifest: Option<&'a Path>,
    /// The public key for the manifest's signature.
    pub(crate) public_key: Option<&'a str>,
    /// The most exceptions of each sort, and deletions, that are listed.
    pub(crate) max_listed: usize,
}

/// Builds a report. `None`: there is no migration with this database.
///
/// # Errors
/// One line.
pub(crate) fn gather(asked: &Asked<'_>) -> Result<Option<Report>, String> {
    let manifest = asked.manifest.map(|path| manifest::read(path, asked.public_key)).transpose()?;
    let account = Account::read(asked.database, asked.max_listed).map_err(|error| error.to_string())?;
    Ok(account.map(|account| report(asked, account, manifest)))
}

fn report(asked: &Asked<'_>, account: Account, manifest: Option<Manifest>) -> Report {
    let overview = &account.overview;
    let names = account.names.as_ref();
    Report {
        generated: jiff::Timestamp::now(),
        towpath: env!("CARGO_PKG_VERSION"),
        host: host(),
        scope: scope(asked.database, overview),
        state: state(&account),
        balanced: names.is_some_and(Reconciliation::is_balanced),
        totals: names.map(totals),
        with_checksum: names.map(|names| amount(names.with_checksum)).unwrap_or_default(),
        verification: verification(&account),
        failed: exceptions(&account.failed),
        accepted: exceptions(&account.accepted),
        acceptances: account.acceptances.iter().map(acceptance).collect(),
        skipped: exceptions(&account.skipped),
        unreadable: exceptions(&account.unreadable),
        throughput: throughput(&account.samples),
        sizes: account.sizes.iter().map(size_range).collect(),
        slowest: account.slowest.iter().map(slow_file).collect(),
        deletions: deletions::of_runs(&overview.runs, asked.max_listed),
        manifest,
        audit_chain_end: overview.audit_chain_end.clone(),
        runs: overview.runs.iter().rev().map(|one| run(one, overview)).collect(),
    }
}

fn host() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

fn scope(database: &Path, overview: &Overview) -> Scope {
    let database = std::fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
    Scope {
        source: overview.source[..].into(),
        dest: overview.sink[..].into(),
        database: database.as_os_str().as_bytes().into(),
        schema: overview.schema,
        first_run: overview.runs.last().and_then(|run| moment(run.started)),
        last_run_ended: overview.runs.first().and_then(|run| run.finished).and_then(moment),
    }
}

fn state(account: &Account) -> State {
    let Some(names) = &account.names else {
        return if account.overview.process.is_some() { State::Running } else { State::NotScanned };
    };
    let has = |class| names.class(class).total().names > 0;
    if account.overview.process.is_some() {
        State::Running
    } else if has(NameClass::Pending) {
        State::Pending
    } else if has(NameClass::Failed) || account.unreadable.open > 0 || has_bad_copies(account) {
        State::Exceptions
    } else {
        State::Complete
    }
}

/// Whether a verification found copies that are not what was recorded.
fn has_bad_copies(account: &Account) -> bool {
    account.verified.iter().any(|(class, sum)| class.is_some_and(VerifyClass::is_bad) && sum.names > 0)
}

fn amount(amount: towpath::Amount) -> Amount {
    Amount { names: amount.names, bytes: amount.bytes }
}

fn by_kind(counted: &Counted) -> ByKind {
    let of = |kind| amount(counted.of(kind));
    ByKind {
        all: amount(counted.total()),
        files: of(NameKind::File),
        directories: of(NameKind::Dir),
        links: of(NameKind::Symlink),
        other: of(NameKind::Other),
    }
}

/// Differences of each kind, and their sums.
fn differences(of: impl Fn(NameKind) -> Option<(i128, i128)>) -> Option<Differences> {
    let one = |kind| of(kind).map(|(names, bytes)| Difference { names, bytes });
    let mut differences = Differences {
        all: Difference::default(),
        files: one(NameKind::File)?,
        directories: one(NameKind::Dir)?,
        links: one(NameKind::Symlink)?,
        other: one(NameKind::Other)?,
    };
    for part in [differences.files, differences.directories, differences.links, differences.other] {
        differences.all.names += part.names;
        differences.all.bytes += part.bytes;
    }
    Some(differences)
}

fn totals(names: &Reconciliation) -> Totals {
    let class = |class: NameClass| Class { class: class.name(), amount: by_kind(&names.class(class)) };
    let reason = |reason: &towpath::ReasonCount| Reason {
        class: reason.class.name(),
        reason: reason.reason.clone(),
        rule: Some(reason.detail.clone()).filter(|rule| !rule.is_empty()),
        amount: by_kind(&reason.amount),
        example: reason.example.as_deref().map(Into::into),
    };
    Totals {
        scanned_at: moment(names.scanned_at),
        listed: names.listed.as_ref().map(by_kind),
        listed_twice: by_kind(&names.listed_twice),
        resolved: by_kind(&names.resolved),
        resolved_to: by_kind(&names.resolved_to),
        source: differences(|kind| names.source(kind)),
        classes: NameClass::ALL.into_iter().map(class).collect(),
        difference: differences(|kind| names.difference(kind)),
        reasons: names.reasons.iter().map(reason).collect(),
        resized_from: amount(names.resized.0),
        resized_to: amount(names.resized.1),
        below_unreadable: amount(names.unlisted),
        not_entered: names.not_entered,
    }
}

fn exceptions(list: &ExceptionList) -> Exceptions {
    let exception = |one: &towpath::Exception| Exception {
        path: one.path[..].into(),
        kind: one.kind.map(NameKind::name),
        bytes: one.size_bytes.filter(|_| one.kind != Some(NameKind::Dir)),
        side: one.side.map(side_name),
        reason: one.reason.clone(),
        error: one.error.clone(),
        accepted: one.accepted.as_ref().map(|accepted| accepted.reason.clone()),
    };
    Exceptions { count: list.count, open: list.open, listed: list.first.iter().map(exception).collect() }
}

fn acceptance(accepted: &AcceptedEntry) -> Acceptance {
    Acceptance {
        path: accepted.path[..].into(),
        reason: accepted.reason.clone(),
        user: accepted.user.clone(),
        time: moment(accepted.accepted_at),
        code: accepted.code.map(|code| code.name().to_owned()),
        ended: accepted.ended.and_then(|(at, _)| moment(at)),
        end: accepted.ended.map(|(_, end)| end.name()),
    }
}

fn verification(account: &Account) -> Verification {
    let found = &account.verification;
    let not_matching = |file: &towpath::NotMatching| NotMatching {
        path: file.path[..].into(),
        class: file.class.name(),
        detail: file.detail.clone(),
        checked: moment(file.checked),
        bytes: file.size_bytes,
    };
    Verification {
        coverage: account.verified.iter().map(|(class, sum)| verified(*class, amount(*sum))).collect(),
        passes: found.passes.iter().map(verify_pass).collect(),
        not_matching: found.not_matching.iter().map(not_matching).collect(),
        has_more: found.has_more,
    }
}

fn verified(class: Option<VerifyClass>, amount: Amount) -> Verified {
    let is_bad = class.is_some_and(VerifyClass::is_bad);
    Verified { class: class.map_or("not-verified", VerifyClass::name), is_bad, amount }
}

fn verify_pass(pass: &RecordedVerification) -> VerifyPass {
    let sum = |of: fn(VerifyClass) -> bool| -> u64 {
        pass.classes.iter().filter(|(class, _)| of(**class)).map(|(_, totals)| totals.files).sum()
    };
    let (bad, drawn) = (sum(VerifyClass::is_bad), sum(VerifyClass::is_proof));
    let is_sampled = pass.is_sample() && pass.finished.is_some() && drawn > 0;
    let class = |(class, sum): (&VerifyClass, &towpath::Totals)| {
        verified(Some(*class), Amount { names: sum.files, bytes: sum.bytes })
    };
    VerifyPass {
        number: pass.number,
        started: moment(pass.started),
        finished: pass.finished.and_then(moment),
        selection: pass.selection.clone(),
        seed: pass.is_sample().then(|| pass.seed.clone()),
        read_bytes: pass.read_bytes,
        cached_files: pass.cached_files,
        classes: pass.classes.iter().map(class).collect(),
        share_below: is_sampled.then(|| UpperBound::of(bad, drawn).share),
    }
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Source => "source",
        Side::Sink => "destination",
    }
}

fn throughput(samples: &[RateSample]) -> Throughput {
    let samples: Vec<_> = samples.iter().filter_map(sample).collect();
    let sum = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() as u64;
    let of_limit = |sample: &Sample| {
        let (peak, limit) = sample.peak_bytes_per_s.zip(sample.limit_bytes_per_s)?;
        (limit > 0).then(|| peak as f64 / limit as f64)
    };
    Throughput {
        active_s: sum(Sample::active_s),
        paused_s: sum(|sample| sample.paused_s),
        written_bytes: samples.iter().map(|one| u128::from(one.written_bytes.unwrap_or(one.bytes))).sum(),
        peak_bytes_per_s: samples.iter().filter_map(|sample| sample.peak_bytes_per_s).max(),
        peak_of_limit: samples.iter().filter_map(of_limit).max_by(f64::total_cmp),
        samples,
    }
}

fn sample(sample: &RateSample) -> Option<Sample> {
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
    let round_trips = |taken: towpath::RoundTrips| RoundTrips {
        requests: taken.requests,
        median_ms: ms(taken.median),
        p95_ms: ms(taken.p95),
    };
    Some(Sample {
        start: moment(sample.start)?,
        duration_s: sample.duration.as_secs_f64(),
        paused_s: sample.paused.as_secs_f64(),
        files: sample.files,
        bytes: sample.bytes,
        written_bytes: sample.written_bytes,
        peak_bytes_per_s: sample.peak_bytes_per_s,
        limit_bytes_per_s: sample.limit_bytes_per_s,
        source: sample.source_round_trips.map(round_trips),
        dest: sample.sink_round_trips.map(round_trips),
    })
}

fn size_range(range: &towpath::SizeRange) -> SizeRange {
    SizeRange {
        from_bytes: range.from_bytes,
        below_bytes: range.below_bytes,
        all: amount(range.amount),
        synced: amount(range.synced),
    }
}

fn slow_file(file: &towpath::SlowestFile) -> SlowFile {
    let seconds = file.took.as_secs_f64();
    SlowFile { path: file.path[..].into(), run: file.run, bytes: file.size_bytes, seconds }
}

fn run(run: &RecordedRun, overview: &Overview) -> Run {
    let totals = |totals: towpath::Totals| Amount { names: totals.files, bytes: totals.bytes };
    let is_newest = overview.runs.first().is_some_and(|newest| newest.number == run.number);
    Run {
        number: run.number,
        started: moment(run.started),
        ended: run.finished.and_then(moment),
        outcome: run.outcome.map(|outcome| match outcome {
            RecordedOutcome::Finished => "finished",
            RecordedOutcome::Stopped => "stopped",
            _ => "failed",
        }),
        is_running: is_newest && run.finished.is_none() && overview.process.is_some(),
        version: run.version.clone(),
        scanned: run.scanned,
        sent: run.sent.map(totals),
        failed: run.failed.map(totals),
        deleted_files: run.deleted_files,
        deleted_directories: run.deleted_dirs,
        stopped_by: run.stopped_by.clone(),
        error: run.error.clone(),
        log: run.log.as_ref().map(|log| log.as_os_str().as_bytes().into()),
        options: run.options.as_deref().and_then(|options| serde_json::from_str(options).ok()),
    }
}
