//! Flags with values: `--perms=false` switches off what a lower layer switches on.

use std::ffi::OsString;

use clap::builder::Resettable;
use clap::{Arg, ArgAction, Command};

use super::options::{name_of, sync_options};
use crate::config::setting::Setting;

/// The command, with optional values for the flags of `sync`, which `assess` shares, and without rules between options: these hold for all
/// layers together.
pub(super) fn with_values(command: Command) -> Command {
    let shared = |arg: Arg| if is_of_sync(&arg) { with_value(arg) } else { arg };
    command.mut_subcommand("sync", |sync| sync.mut_args(with_value)).mut_subcommand("assess", |it| it.mut_args(shared))
}

fn is_of_sync(arg: &Arg) -> bool {
    sync_options().iter().any(|option| option.get_id() == arg.get_id())
}

fn with_value(arg: Arg) -> Arg {
    let arg = arg.required(false).requires(Resettable::Reset).conflicts_with(Resettable::Reset);
    let is_count = match arg.get_action() {
        ArgAction::SetTrue => false,
        ArgAction::Count => true,
        // A second value is an error later.
        ArgAction::Set if arg.get_long().is_some() => return arg.action(ArgAction::Append),
        _ => return arg,
    };
    let parse =
        move |text: &str| times(text, is_count).ok_or(if is_count { "use a number" } else { "use true or false" });
    arg.action(ArgAction::Append)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .value_name(if is_count { "N" } else { "BOOL" })
        .value_parser(parse)
}

/// How often a flag with this value is given.
fn times(value: &str, is_count: bool) -> Option<u8> {
    match value {
        "true" | "yes" | "on" | "1" => Some(1),
        "false" | "no" | "off" | "0" => Some(0),
        _ if is_count => value.parse().ok(),
        _ => None,
    }
}

pub(super) fn is_flag(setting: &Setting) -> bool {
    let is_flag = |arg: &&Arg| matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count);
    sync_options().iter().filter(is_flag).any(|arg| name_of(arg) == setting.option)
}

/// How often a flag is given; `None`: it is none.
fn flag_times(setting: &Setting) -> Option<u8> {
    if is_flag(setting) { times(setting.value.to_str()?, true) } else { None }
}

/// A flag as clap's own, without a value; `None`: it is none.
pub(super) fn words(setting: &Setting) -> Option<Vec<OsString>> {
    Some(vec![format!("--{}", setting.option).into(); flag_times(setting)?.into()])
}

/// Whether it is a flag that is switched off.
pub(super) fn is_off(setting: &Setting) -> bool {
    flag_times(setting) == Some(0)
}
