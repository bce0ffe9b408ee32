//! The list of the cases, and the macros that make tests of them.

/// Makes a `#[tokio::test]` of every case. `$fixture` makes a [`Fixture`](crate::conformance::Fixture).
#[macro_export]
macro_rules! conformance {
    ($fixture:expr) => {
        $crate::conformance_cases!($crate::conformance_tests; $fixture;);
    };
}

/// Makes a `#[tokio::test]` of every case for a source without a sink. `$fixture` makes a
/// [`SourceFixture`](crate::conformance::SourceFixture).
#[macro_export]
macro_rules! source_conformance {
    ($fixture:expr) => {
        $crate::source_conformance_cases!($crate::conformance_tests; $fixture;);
    };
}

/// A `#[tokio::test]` for each of these cases.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($fixture:expr; $($case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                let fixture = $fixture;
                $crate::conformance::$case(&fixture).await;
            }
        )*
    };
}

/// Calls the macro `$callback` with the names of all cases, for those who do
/// something else with them than [`conformance!`](crate::conformance!) does.
///
/// What follows a `;` is put before the names.
#[macro_export]
macro_rules! conformance_cases {
    ($($callback:tt)::+ $(; $($before:tt)*)?) => {
        $($callback)::+! {
            $($($before)*)?
            the_root_is_a_directory_and_keeps_its_identity,
            two_trees_are_told_apart,
            a_round_trip_is_answered,
            the_root_has_a_name_that_paths_can_follow,
            what_lies_elsewhere_is_not_located,
            both_sides_show_the_same,
            a_missing_directory_is_not_found_rather_than_empty,
            an_empty_directory_lists_nothing,
            a_listing_shows_kind_size_and_time,
            every_name_of_a_large_directory_is_listed_once_in_bounded_pages,
            a_file_is_no_directory_to_list,
            names_are_bytes,
            names_that_are_one_are_reported,
            names_that_cannot_be_are_reported,
            a_listing_shows_the_same_as_metadata,
            a_listing_stops_at_its_directory,
            a_listing_left_in_the_middle_does_no_harm,
            a_listing_and_changes_do_not_disturb_each_other,
            two_listings_at_once_show_the_same,
            a_paced_listing_shows_the_same,
            names_that_begin_alike_are_apart,
            deep_paths_are_reached,
            names_that_are_too_long_are_refused_as_such,
            a_name_is_free_again_once_removed,
            errors_name_operation_and_path,
            a_path_through_a_file_leads_nowhere,
            a_missing_file_is_not_found,
            content_of_any_size_comes_back,
            reading_beyond_the_end_gives_what_there_is,
            reading_appends_to_the_buffer,
            a_whole_file_is_read_with_its_metadata,
            a_longer_file_is_cut_at_the_limit_and_its_metadata_show_it,
            reading_does_not_change_the_file,
            a_directory_is_not_read_as_a_file,
            asking_ahead_changes_nothing,
            reading_goes_anywhere_in_any_order,
            readers_of_one_file_keep_apart,
            a_reader_shows_the_same_as_metadata,
            a_read_of_nothing_gives_nothing,
            times_are_kept_to_the_precision,
            times_before_1970_are_kept_or_reported,
            writing_cuts_what_was_longer,
            a_file_without_its_directory_is_not_found,
            a_directory_in_its_place_is_not_overwritten,
            files_permit_no_more_than_asked_for,
            directories_permit_no_more_than_asked_for,
            a_whole_file_is_the_same_as_one_written_in_steps,
            a_writer_that_is_dropped_does_no_harm,
            flushing_keeps_everything,
            a_directory_is_made_once,
            times_of_directories_can_be_set,
            times_of_what_is_not_there_are_not_set,
            a_bound_on_what_is_in_flight_changes_nothing,
            blocks_of_any_size_are_taken,
            an_empty_file_takes_the_place_of_a_longer_one,
            what_the_close_returns_is_what_is_shown,
            times_of_files_can_be_set_later,
            flushing_nothing_is_no_error,
            links_are_made_once_and_have_their_own_times,
            links_are_listed_and_never_followed,
            gaps_read_as_zeros_and_the_data_between_are_found,
            a_hole_at_the_end_gives_the_file_its_length,
            a_file_of_one_hole_holds_no_data,
            more_than_the_size_is_not_finished,
            files_without_holes_are_all_data,
            a_hard_link_is_another_name_of_the_file,
            a_hard_link_takes_no_name_and_needs_its_file,
            writing_under_one_name_leaves_the_others_alone,
            a_renamed_file_keeps_its_content_and_time,
            renaming_takes_the_place_of_a_file,
            renaming_between_two_names_of_a_file_leaves_one,
            renaming_replaces_and_moves_no_directory,
            attributes_are_applied_or_reported,
            setuid_and_setgid_are_set_for_the_sources_owner_alone,
            attributes_of_what_is_not_there_are_not_set,
            attributes_of_a_link_are_not_those_of_its_target,
            files_and_empty_directories_are_removed,
            a_full_directory_is_not_removed,
            a_link_is_removed_and_what_it_leads_to_stays,
            the_root_is_not_removed,
            removing_what_is_not_there_is_not_found,
            what_is_discarded_is_gone_or_nothing_happened,
            files_are_written_side_by_side,
            files_are_read_and_written_at_once,
            one_directory_takes_many_changes_at_once,
            a_read_that_is_given_up_does_no_harm,
            a_write_that_is_given_up_does_no_harm,
            a_tree_that_is_opened_again_has_the_same_identity,
            what_was_flushed_is_there_after_opening_again,
            what_was_removed_stays_away_after_opening_again,
        }
    };
}

/// Calls the macro `$callback` with the names of all cases for a source without a sink, as
/// [`conformance_cases!`](crate::conformance_cases!) does with those of the whole suite.
#[macro_export]
macro_rules! source_conformance_cases {
    ($($callback:tt)::+ $(; $($before:tt)*)?) => {
        $($callback)::+! {
            $($($before)*)?
            the_sample_is_listed_as_it_was_made,
            a_source_keeps_its_identity_when_it_is_opened_again,
            a_listing_of_a_source_shows_the_same_as_metadata,
            a_paced_listing_of_a_source_shows_the_same,
            the_sample_is_read_as_it_was_made,
            whole_files_of_a_source_are_cut_at_the_limit,
            a_source_is_read_anywhere_and_by_several_readers,
            directories_of_a_source_are_not_read,
            what_a_source_does_not_hold_is_not_found,
            links_of_a_source_are_not_followed,
        }
    };
}
