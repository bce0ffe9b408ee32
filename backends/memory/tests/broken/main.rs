//! The conformance suite finds bugs: every case fails with a backend that has the bug it checks for, and passes with
//! the same backend without the bug.
//!
//! A case without a bug does not compile: the match in [`bug_of`] has all cases.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod bug;
mod fixture;
mod listing;
mod reader;
mod sink;
mod source;
mod tree;
mod writer;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::pin::Pin;
use std::sync::Once;

use towpath_backend::conformance;

use bug::Bug;
use fixture::{Filled, Pair};

/// Runs a case on a tree with a bug.
type Run = fn(Option<Bug>) -> Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// Whether panics of this thread are expected.
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// The file of the last panic.
    static PANICKED_IN: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The file in which the case panics with this bug, if it does.
fn panics_in(run: Run, bug: Option<Bug>) -> Option<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            PANICKED_IN.set(info.location().map_or(String::new(), |place| place.file().to_owned()));
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    QUIET.set(bug.is_some());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run(bug))));
    QUIET.set(false);
    outcome.is_err().then(|| PANICKED_IN.take())
}

/// Asserts that the case finds this bug, and passes without it.
fn finds(run: Run, bug: Bug) {
    assert_eq!(panics_in(run, None), None, "fails without any bug");
    let found = panics_in(run, Some(bug)).unwrap_or_else(|| panic!("does not find {bug:?}"));
    assert!(found.contains("src/conformance"), "{found} fails with {bug:?}, not the suite");
}

macro_rules! check_cases {
    ($cases:ident, $bug_of:ident, $fixture:expr; $($case:ident),* $(,)?) => {
        #[derive(Clone, Copy, Debug)]
        #[allow(non_camel_case_types)]
        enum $cases {
            $($case,)*
        }

        $(
            #[test]
            fn $case() {
                let run: Run = |bug| Box::pin(async move {
                    let fixture = ($fixture)(bug).await;
                    conformance::$case(&fixture).await;
                });
                finds(run, $bug_of($cases::$case));
            }
        )*
    };
}

towpath_backend::conformance_cases!(check_cases; Case, bug_of, async |bug| Pair::new(bug););
towpath_backend::source_conformance_cases!(check_cases; SourceCase, bug_of_source, Filled::new;);

/// The bug that each case for a source without a sink must find.
fn bug_of_source(case: SourceCase) -> Bug {
    match case {
        SourceCase::the_sample_is_listed_completely => Bug::ListsNoSizes,
        SourceCase::a_reopened_source_has_the_same_identity => Bug::IdentityChangesAtEachOpen,
        SourceCase::source_listings_agree_with_metadata => Bug::StatsSecondsOnly,
        SourceCase::a_paced_source_listing_is_complete => Bug::PacedListingsAreCut,
        SourceCase::the_sample_is_read_unchanged => Bug::TheEndIsAnError,
        SourceCase::the_sample_is_read_unchanged_past_caches => Bug::UncachedReadsAreAligned,
        SourceCase::source_read_whole_stops_at_the_limit => Bug::WholeFilesHaveNoLimit,
        SourceCase::a_source_is_read_at_any_offset_by_several_readers => Bug::OnePositionForAllReaders,
        SourceCase::source_directories_are_not_read_as_files => Bug::DirectoriesReadAsEmptyFiles,
        SourceCase::missing_source_entries_are_not_found => Bug::MissingIsJustAnError,
        SourceCase::source_symlinks_are_not_followed => Bug::FollowsLinks,
    }
}

/// The bug that each case must find.
fn bug_of(case: Case) -> Bug {
    match case {
        Case::the_root_is_a_directory_and_keeps_its_identity => Bug::IdentityChanges,
        Case::two_trees_have_different_identities => Bug::OneIdentityForAll,
        Case::a_round_trip_succeeds => Bug::RoundTripFails,
        Case::the_root_name_has_no_trailing_slash => Bug::RootEndsWithSlash,
        Case::files_outside_the_tree_are_not_located => Bug::LocatesEverything,
        Case::source_and_sink_show_the_same => Bug::SinkListsNothing,

        Case::listing_a_missing_directory_is_not_found => Bug::MissingIsEmpty,
        Case::an_empty_directory_has_no_entries => Bug::ListsItself,
        Case::a_listing_shows_kind_size_and_time => Bug::ListsNoSizes,
        Case::a_large_directory_is_listed_completely_in_bounded_pages => Bug::OnePage,
        Case::listing_a_file_is_an_error => Bug::ListsFiles,
        Case::names_are_bytes => Bug::NamesAreText,
        Case::case_and_unicode_folding_match_the_name_rules => Bug::FoldsCase,
        Case::names_that_the_rules_allow_are_kept => Bug::ReplacesColons,
        Case::listings_agree_with_metadata => Bug::StatsSecondsOnly,
        Case::listings_are_not_recursive => Bug::ListsDeeper,
        Case::a_dropped_listing_does_no_harm => Bug::LeftListingBlocks,
        Case::a_directory_can_change_while_it_is_listed => Bug::ListsByPosition,
        Case::concurrent_listings_are_independent => Bug::OnePositionForAllListings,
        Case::a_paced_listing_is_complete => Bug::PacedListingsAreCut,

        Case::names_with_a_common_prefix_are_distinct => Bug::ListsByPrefix,
        Case::deep_paths_work => Bug::RejectsDeepPaths,
        Case::names_that_are_too_long_are_rejected_as_such => Bug::CutsNames,
        Case::a_removed_name_can_be_reused => Bug::NamesCannotBeReused,

        Case::errors_name_operation_and_path => Bug::ErrorsWithoutPath,
        Case::a_path_through_a_file_is_an_error => Bug::FilesAreMissingDirectories,

        Case::a_missing_file_is_not_found => Bug::MissingIsJustAnError,
        Case::content_of_any_size_is_read_back => Bug::FlipsABit,
        Case::reading_past_the_end_is_a_short_read => Bug::TheEndIsAnError,
        Case::reading_appends_to_the_buffer => Bug::ReplacesTheBuffer,
        Case::read_whole_returns_content_and_metadata => Bug::WholeFilesHaveNoSize,
        Case::read_whole_stops_at_the_limit_and_reports_the_full_size => Bug::WholeFilesHaveNoLimit,
        Case::reading_does_not_change_the_file => Bug::ReadingTouches,
        Case::a_directory_is_not_read_as_a_file => Bug::DirectoriesReadAsEmptyFiles,
        Case::prefetching_does_not_change_what_is_read => Bug::PrefetchMovesTheReader,
        Case::bypassing_caches_does_not_change_what_is_read => Bug::UncachedReadsAreAligned,
        Case::readers_and_whole_files_have_the_same_freshness => Bug::WholeFilesHideTheCache,
        Case::offsets_are_read_in_any_order => Bug::ReadsForwardsOnly,
        Case::readers_of_one_file_are_independent => Bug::OnePositionForAllReaders,
        Case::an_open_file_reports_the_same_metadata => Bug::ReadersReportAnotherTime,
        Case::a_read_of_zero_bytes_returns_nothing => Bug::ZeroBytesReadEverything,

        Case::times_are_kept_to_the_precision => Bug::KeepsSecondsOnly,
        Case::times_before_1970_are_kept_or_reported => Bug::ReportsTimesItDidNotKeep,
        Case::overwriting_truncates_longer_content => Bug::KeepsTheOldEnd,
        Case::writing_into_a_missing_directory_is_not_found => Bug::CreatesMissingDirectories,
        Case::a_directory_is_not_overwritten_by_a_file => Bug::ReplacesDirectories,
        Case::files_grant_no_more_than_the_given_permissions => Bug::FilesAreOpenToAll,
        Case::directories_grant_no_more_than_the_given_permissions => Bug::DirectoriesAreOpenToAll,
        Case::write_whole_is_the_same_as_writing_in_steps => Bug::StepsLoseTheTime,
        Case::a_dropped_writer_does_no_harm => Bug::DroppedWriterLocks,
        Case::an_in_flight_limit_does_not_change_the_content => Bug::LimitCutsBlocks,
        Case::flushing_changes_nothing => Bug::FlushTouches,
        Case::a_directory_is_created_once => Bug::CreatesDirectoriesTwice,
        Case::directory_times_can_be_set => Bug::DirectoriesKeepTheirTime,
        Case::setting_times_of_a_missing_entry_fails => Bug::MissingHasTimes,
        Case::blocks_of_any_size_are_written => Bug::EmptyBlocksFail,
        Case::an_empty_file_replaces_a_longer_one => Bug::NothingWrittenKeepsTheOld,
        Case::finish_returns_the_metadata_shown_later => Bug::FinishReportsAnotherTime,
        Case::file_times_can_be_set_later => Bug::FilesKeepTheirTime,
        Case::flushing_an_empty_tree_succeeds => Bug::FlushNeedsSomething,

        Case::symlinks_are_listed_and_never_followed => Bug::FollowsLinks,
        Case::symlinks_are_created_once_and_have_their_own_times => Bug::LinksReplaceLinks,
        Case::targets_of_symlinks_are_read_on_both_sides => Bug::SinkReadsNoTargets,
        Case::listed_targets_are_those_that_are_read => Bug::ListsOtherTargets,

        Case::holes_read_as_zeros_and_data_is_found => Bug::FindsTheFirstDataOnly,
        Case::a_hole_at_the_end_counts_towards_the_size => Bug::ForgetsTheLastHole,
        Case::a_file_can_be_one_hole => Bug::HolesReadAsOnes,
        Case::finishing_below_the_written_size_fails => Bug::FinishesWhatIsTooLong,
        Case::files_without_holes_are_all_data => Bug::FindsNoData,

        Case::a_hard_link_is_another_name_of_the_file => Bug::HardLinksAreCopies,
        Case::a_hard_link_needs_a_file_and_a_free_name => Bug::HardLinksReplace,
        Case::writing_to_one_hard_link_leaves_the_others_unchanged => Bug::WritesUnderAllNames,
        Case::a_renamed_file_keeps_its_content_and_time => Bug::RenamingTouches,
        Case::renaming_replaces_a_file_or_symlink => Bug::RenamingReplacesNothing,
        Case::renaming_onto_another_hard_link_leaves_one_name => Bug::RenamesAsPosix,
        Case::directories_are_neither_renamed_nor_replaced => Bug::RenamingReplacesDirectories,

        Case::attributes_are_applied_or_reported => Bug::AttributesAreDropped,
        Case::setuid_and_setgid_are_set_only_for_the_sources_owner => Bug::SetuidForAnyOwner,
        Case::setting_attributes_of_a_missing_entry_fails => Bug::MissingHasAttributes,
        Case::attributes_of_a_symlink_are_not_those_of_its_target => Bug::AttributesFollowLinks,

        Case::files_and_empty_directories_are_removed => Bug::RemovesWhateverItIs,
        Case::a_directory_that_is_not_empty_is_not_removed => Bug::RemovesFullDirectories,
        Case::removing_a_symlink_keeps_its_target => Bug::RemovesBehindLinks,
        Case::the_root_is_not_removed => Bug::RemovesTheRoot,
        Case::removing_a_missing_entry_is_not_found => Bug::RemovesWhatIsMissing,
        Case::discarding_moves_the_file_away_or_is_unsupported => Bug::DiscardsNothing,

        Case::files_are_written_concurrently => Bug::OneWriterAtATime,
        Case::files_are_read_and_written_concurrently => Bug::ReadersKeepWritersOut,
        Case::one_directory_takes_concurrent_changes => Bug::LosesConcurrentChanges,
        Case::a_cancelled_read_does_no_harm => Bug::CancelledReadBlocks,
        Case::a_cancelled_write_does_no_harm => Bug::CancelledWriteBlocks,

        Case::a_reopened_tree_has_the_same_identity => Bug::IdentityChangesAtEachOpen,
        Case::flushed_files_survive_reopening => Bug::ForgetsWhatWasFlushed,
        Case::removed_files_stay_removed_after_reopening => Bug::BringsBackWhatWasRemoved,
    }
}
