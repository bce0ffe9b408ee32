//! The suite finds what it is there to find: every case fails with a backend
//! that has the bug it looks for, and passes with the same backend without.
//!
//! A case without a bug does not compile: the match of [`bug_of`] has all of them.

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

/// Runs a case on a tree with this bug.
type Run = fn(Option<Bug>) -> Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// Whether this thread's panics are what is hoped for.
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// The file of the last panic.
    static PANICKED_IN: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Where the case panics with this bug, if it does.
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

/// The case finds this bug, and nothing without it.
fn finds(run: Run, bug: Bug) {
    assert_eq!(panics_in(run, None), None, "fails without any bug");
    let found = panics_in(run, Some(bug)).unwrap_or_else(|| panic!("does not find {bug:?}"));
    assert!(found.contains("src/conformance"), "not the suite but {found} fails with {bug:?}");
}

macro_rules! prove {
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

towpath_backend::conformance_cases!(prove; Case, bug_of, async |bug| Pair::new(bug););
towpath_backend::source_conformance_cases!(prove; SourceCase, bug_of_source, Filled::new;);

/// What each case for a source without a sink must find.
fn bug_of_source(case: SourceCase) -> Bug {
    match case {
        SourceCase::the_sample_is_listed_as_it_was_made => Bug::ListsNoSizes,
        SourceCase::a_source_keeps_its_identity_when_it_is_opened_again => Bug::IdentityChangesAtEachOpen,
        SourceCase::a_listing_of_a_source_shows_the_same_as_metadata => Bug::StatsSecondsOnly,
        SourceCase::a_paced_listing_of_a_source_shows_the_same => Bug::PacedListingsAreCut,
        SourceCase::the_sample_is_read_as_it_was_made => Bug::TheEndIsAnError,
        SourceCase::whole_files_of_a_source_are_cut_at_the_limit => Bug::WholeFilesHaveNoLimit,
        SourceCase::a_source_is_read_anywhere_and_by_several_readers => Bug::OnePositionForAllReaders,
        SourceCase::directories_of_a_source_are_not_read => Bug::DirectoriesReadAsEmptyFiles,
        SourceCase::what_a_source_does_not_hold_is_not_found => Bug::MissingIsJustAnError,
        SourceCase::links_of_a_source_are_not_followed => Bug::FollowsLinks,
    }
}

/// What each case must find.
fn bug_of(case: Case) -> Bug {
    match case {
        Case::the_root_is_a_directory_and_keeps_its_identity => Bug::IdentityChanges,
        Case::two_trees_are_told_apart => Bug::OneIdentityForAll,
        Case::a_round_trip_is_answered => Bug::RoundTripFails,
        Case::the_root_has_a_name_that_paths_can_follow => Bug::RootEndsWithSlash,
        Case::what_lies_elsewhere_is_not_located => Bug::LocatesEverything,
        Case::both_sides_show_the_same => Bug::SinkListsNothing,

        Case::a_missing_directory_is_not_found_rather_than_empty => Bug::MissingIsEmpty,
        Case::an_empty_directory_lists_nothing => Bug::ListsItself,
        Case::a_listing_shows_kind_size_and_time => Bug::ListsNoSizes,
        Case::every_name_of_a_large_directory_is_listed_once_in_bounded_pages => Bug::OnePage,
        Case::a_file_is_no_directory_to_list => Bug::ListsFiles,
        Case::names_are_bytes => Bug::NamesAreText,
        Case::names_that_are_one_are_reported => Bug::FoldsCase,
        Case::names_that_cannot_be_are_reported => Bug::ReplacesColons,
        Case::a_listing_shows_the_same_as_metadata => Bug::StatsSecondsOnly,
        Case::a_listing_stops_at_its_directory => Bug::ListsDeeper,
        Case::a_listing_left_in_the_middle_does_no_harm => Bug::LeftListingBlocks,
        Case::a_listing_and_changes_do_not_disturb_each_other => Bug::ListsByPosition,
        Case::two_listings_at_once_show_the_same => Bug::OnePositionForAllListings,
        Case::a_paced_listing_shows_the_same => Bug::PacedListingsAreCut,

        Case::names_that_begin_alike_are_apart => Bug::ListsByPrefix,
        Case::deep_paths_are_reached => Bug::RefusesDeepPaths,
        Case::names_that_are_too_long_are_refused_as_such => Bug::CutsNames,
        Case::a_name_is_free_again_once_removed => Bug::NamesAreUsedUp,

        Case::errors_name_operation_and_path => Bug::ErrorsWithoutPath,
        Case::a_path_through_a_file_leads_nowhere => Bug::FilesAreMissingDirectories,

        Case::a_missing_file_is_not_found => Bug::MissingIsJustAnError,
        Case::content_of_any_size_comes_back => Bug::FlipsABit,
        Case::reading_beyond_the_end_gives_what_there_is => Bug::TheEndIsAnError,
        Case::reading_appends_to_the_buffer => Bug::ReplacesTheBuffer,
        Case::a_whole_file_is_read_with_its_metadata => Bug::WholeFilesHaveNoSize,
        Case::a_longer_file_is_cut_at_the_limit_and_its_metadata_show_it => Bug::WholeFilesHaveNoLimit,
        Case::reading_does_not_change_the_file => Bug::ReadingTouches,
        Case::a_directory_is_not_read_as_a_file => Bug::DirectoriesReadAsEmptyFiles,
        Case::asking_ahead_changes_nothing => Bug::PrefetchMovesTheReader,
        Case::reading_goes_anywhere_in_any_order => Bug::ReadsForwardsOnly,
        Case::readers_of_one_file_keep_apart => Bug::OnePositionForAllReaders,
        Case::a_reader_shows_the_same_as_metadata => Bug::ReadersTellAnotherTime,
        Case::a_read_of_nothing_gives_nothing => Bug::NothingIsEverything,

        Case::times_are_kept_to_the_precision => Bug::KeepsSecondsOnly,
        Case::times_before_1970_are_kept_or_reported => Bug::TellsTimesItDidNotKeep,
        Case::writing_cuts_what_was_longer => Bug::LeavesTheOldEnd,
        Case::a_file_without_its_directory_is_not_found => Bug::MakesDirectoriesUnasked,
        Case::a_directory_in_its_place_is_not_overwritten => Bug::ReplacesDirectories,
        Case::files_permit_no_more_than_asked_for => Bug::FilesAreOpenToAll,
        Case::directories_permit_no_more_than_asked_for => Bug::DirectoriesAreOpenToAll,
        Case::a_whole_file_is_the_same_as_one_written_in_steps => Bug::StepsLoseTheTime,
        Case::a_writer_that_is_dropped_does_no_harm => Bug::DroppedWriterLocks,
        Case::a_bound_on_what_is_in_flight_changes_nothing => Bug::LimitCutsBlocks,
        Case::flushing_keeps_everything => Bug::FlushTouches,
        Case::a_directory_is_made_once => Bug::MakesDirectoriesAgain,
        Case::times_of_directories_can_be_set => Bug::DirectoriesKeepTheirTime,
        Case::times_of_what_is_not_there_are_not_set => Bug::MissingHasTimes,
        Case::blocks_of_any_size_are_taken => Bug::EmptyBlocksFail,
        Case::an_empty_file_takes_the_place_of_a_longer_one => Bug::NothingWrittenKeepsTheOld,
        Case::what_the_close_returns_is_what_is_shown => Bug::TellsAnotherTimeAtTheClose,
        Case::times_of_files_can_be_set_later => Bug::FilesKeepTheirTime,
        Case::flushing_nothing_is_no_error => Bug::FlushNeedsSomething,

        Case::links_are_listed_and_never_followed => Bug::FollowsLinks,
        Case::links_are_made_once_and_have_their_own_times => Bug::LinksReplaceLinks,

        Case::gaps_read_as_zeros_and_the_data_between_are_found => Bug::FindsTheFirstDataOnly,
        Case::a_hole_at_the_end_gives_the_file_its_length => Bug::ForgetsTheLastHole,
        Case::a_file_of_one_hole_holds_no_data => Bug::HolesReadAsOnes,
        Case::more_than_the_size_is_not_finished => Bug::FinishesWhatIsTooLong,
        Case::files_without_holes_are_all_data => Bug::FindsNoData,

        Case::a_hard_link_is_another_name_of_the_file => Bug::HardLinksAreCopies,
        Case::a_hard_link_takes_no_name_and_needs_its_file => Bug::HardLinksReplace,
        Case::writing_under_one_name_leaves_the_others_alone => Bug::WritesUnderAllNames,
        Case::a_renamed_file_keeps_its_content_and_time => Bug::RenamingTouches,
        Case::renaming_takes_the_place_of_a_file => Bug::RenamingNeedsAFreeName,
        Case::renaming_between_two_names_of_a_file_leaves_one => Bug::RenamesAsPosix,
        Case::renaming_replaces_and_moves_no_directory => Bug::RenamingReplacesDirectories,

        Case::attributes_are_applied_or_reported => Bug::AttributesAreDropped,
        Case::setuid_and_setgid_are_set_for_the_sources_owner_alone => Bug::SetuidForAnyOwner,
        Case::attributes_of_what_is_not_there_are_not_set => Bug::MissingHasAttributes,
        Case::attributes_of_a_link_are_not_those_of_its_target => Bug::AttributesFollowLinks,

        Case::files_and_empty_directories_are_removed => Bug::RemovesWhateverItIs,
        Case::a_full_directory_is_not_removed => Bug::RemovesFullDirectories,
        Case::a_link_is_removed_and_what_it_leads_to_stays => Bug::RemovesBehindLinks,
        Case::the_root_is_not_removed => Bug::RemovesTheRoot,
        Case::removing_what_is_not_there_is_not_found => Bug::RemovesWhatIsMissing,
        Case::what_is_discarded_is_gone_or_nothing_happened => Bug::DiscardsNothing,

        Case::files_are_written_side_by_side => Bug::OneWriterAtATime,
        Case::files_are_read_and_written_at_once => Bug::ReadersKeepWritersOut,
        Case::one_directory_takes_many_changes_at_once => Bug::LosesConcurrentChanges,
        Case::a_read_that_is_given_up_does_no_harm => Bug::GivenUpReadBlocks,
        Case::a_write_that_is_given_up_does_no_harm => Bug::GivenUpWriteBlocks,

        Case::a_tree_that_is_opened_again_has_the_same_identity => Bug::IdentityChangesAtEachOpen,
        Case::what_was_flushed_is_there_after_opening_again => Bug::ForgetsWhatWasFlushed,
        Case::what_was_removed_stays_away_after_opening_again => Bug::BringsBackWhatWasRemoved,
    }
}
