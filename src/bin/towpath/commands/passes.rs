//! `towpath passes`: the runs of a migration, and what the next one will take.

mod json;
mod text;

use jiff::tz::TimeZone;
use towpath::{Allowed, Estimator, Outlook, PassForecast, Passes, Timestamp};

use super::run_database::{database_of, no_migration};
use crate::args::bwlimit::local_zone;
use crate::args::passes::PassesArguments;
use crate::console::output;
use crate::exit::{ALL_IN_SYNC, ExitError, USAGE_ERROR};
use crate::format::moment;
use crate::status::text::Clock;
use crate::timetable::{Rate, Timetable};

/// The runs that are read at least: a forecast learns from them.
const LEARNED_FROM: usize = 50;

/// Runs the command and returns the exit status.
pub(crate) fn run(arguments: &PassesArguments) -> u8 {
    match try_run(arguments) {
        Ok(text) => {
            output::line(&text);
            ALL_IN_SYNC
        }
        Err(error) => error.report(),
    }
}

fn try_run(arguments: &PassesArguments) -> Result<String, ExitError> {
    let wrong_usage = |problem| ExitError(USAGE_ERROR, problem);
    let run = arguments.run.name().map_err(wrong_usage)?;
    let database = database_of(&run)?;
    let Some(mut passes) = Passes::read(&database, arguments.last.max(LEARNED_FROM))? else {
        return Err(no_migration(&database));
    };
    let limit = arguments.bwlimit.clone().unwrap_or_else(|| Timetable::always(last_limit(&passes)));
    let zone = if limit.only_rate().is_some() { TimeZone::UTC } else { local_zone().map_err(wrong_usage)? };
    let clock = Clock::of_system();
    let next = forecast(&passes, &limit, zone, &clock);
    passes.passes.drain(..passes.passes.len().saturating_sub(arguments.last));
    Ok(match arguments.json {
        true => json::passes(&passes, next.as_ref()).to_string(),
        false => text::passes(&passes, next.as_ref(), &limit, &clock),
    })
}

/// The limit that was in force last.
fn last_limit(passes: &Passes) -> Rate {
    let last = passes.samples.last().and_then(|sample| sample.limit_bytes_per_s);
    last.map_or(Rate::Off, Rate::Fixed)
}

fn forecast(passes: &Passes, limit: &Timetable, zone: TimeZone, clock: &Clock) -> Option<PassForecast> {
    let now = Timestamp::from_total_ns(clock.now.as_nanosecond())?;
    let limits = Limits { timetable: limit.clone(), zone };
    let in_force = limits.allowed(now, Allowed::Unlimited);
    let estimator = Estimator::new(passes.samples.clone().into()).with_outlook(limits);
    passes.forecast(now, &estimator, in_force)
}

/// The limits of a timetable.
struct Limits {
    timetable: Timetable,
    zone: TimeZone,
}

impl Outlook for Limits {
    fn allowed(&self, at: Timestamp, in_force: Allowed) -> Allowed {
        moment(at).map_or(in_force, |at| self.timetable.at(&at.to_zoned_datetime(self.zone.clone())).allowed())
    }
}
