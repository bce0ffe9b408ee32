//! The list of cases, and the macros that generate tests from them.

/// Generates a `#[tokio::test]` for every case. `$fixture` creates a [`Fixture`](crate::conformance::Fixture).
#[macro_export]
macro_rules! conformance {
    ($fixture:expr) => {
        $crate::conformance_cases!($crate::conformance_tests; $fixture;);
    };
}

/// Generates a `#[tokio::test]` for every case for a source without a sink. `$fixture` creates a
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

/// Calls the macro `$callback` with the names of all cases, for uses other than [`conformance!`](crate::conformance!).
///
/// Tokens after a `;` are passed before the names.
#[macro_export]
macro_rules! conformance_cases {
    ($($callback:tt)::+ $(; $($before:tt)*)?) => {
        $($callback)::+! {
            $($($before)*)?
            the_root_is_a_directory_and_keeps_its_identity,
            two_trees_have_different_identities,
            a_round_trip_succeeds,
            the_root_name_has_no_trailing_slash,
            files_outside_the_tree_are_not_located,
            source_and_sink_show_the_same,
            listing_a_missing_directory_is_not_found,
            an_empty_directory_has_no_entries,
            a_listing_shows_kind_size_and_time,
            a_large_directory_is_listed_completely_in_bounded_pages,
            listing_a_file_is_an_error,
            names_are_bytes,
            case_and_unicode_folding_match_the_name_rules,
            names_that_the_rules_allow_are_kept,
            listings_agree_with_metadata,
            listings_are_not_recursive,
            a_dropped_listing_does_no_harm,
            a_directory_can_change_while_it_is_listed,
            concurrent_listings_are_independent,
            a_paced_listing_is_complete,
            names_with_a_common_prefix_are_distinct,
            deep_paths_work,
            names_that_are_too_long_are_rejected_as_such,
            a_removed_name_can_be_reused,
            errors_name_operation_and_path,
            a_path_through_a_file_is_an_error,
            a_missing_file_is_not_found,
            content_of_any_size_is_read_back,
            reading_past_the_end_is_a_short_read,
            reading_appends_to_the_buffer,
            read_whole_returns_content_and_metadata,
            read_whole_stops_at_the_limit_and_reports_the_full_size,
            reading_does_not_change_the_file,
            a_directory_is_not_read_as_a_file,
            prefetching_does_not_change_what_is_read,
            bypassing_caches_does_not_change_what_is_read,
            readers_and_whole_files_have_the_same_freshness,
            offsets_are_read_in_any_order,
            readers_of_one_file_are_independent,
            an_open_file_reports_the_same_metadata,
            a_read_of_zero_bytes_returns_nothing,
            times_are_kept_to_the_precision,
            times_before_1970_are_kept_or_reported,
            overwriting_truncates_longer_content,
            writing_into_a_missing_directory_is_not_found,
            a_directory_is_not_overwritten_by_a_file,
            files_grant_no_more_than_the_given_permissions,
            directories_grant_no_more_than_the_given_permissions,
            write_whole_is_the_same_as_writing_in_steps,
            a_dropped_writer_does_no_harm,
            flushing_changes_nothing,
            a_directory_is_created_once,
            directory_times_can_be_set,
            setting_times_of_a_missing_entry_fails,
            an_in_flight_limit_does_not_change_the_content,
            blocks_of_any_size_are_written,
            an_empty_file_replaces_a_longer_one,
            finish_returns_the_metadata_shown_later,
            file_times_can_be_set_later,
            flushing_an_empty_tree_succeeds,
            symlinks_are_created_once_and_have_their_own_times,
            symlinks_are_listed_and_never_followed,
            targets_of_symlinks_are_read_on_both_sides,
            listed_targets_are_those_that_are_read,
            holes_read_as_zeros_and_data_is_found,
            a_hole_at_the_end_counts_towards_the_size,
            a_file_can_be_one_hole,
            finishing_below_the_written_size_fails,
            files_without_holes_are_all_data,
            a_hard_link_is_another_name_of_the_file,
            a_hard_link_needs_a_file_and_a_free_name,
            writing_to_one_hard_link_leaves_the_others_unchanged,
            a_renamed_file_keeps_its_content_and_time,
            renaming_replaces_a_file_or_symlink,
            renaming_onto_another_hard_link_leaves_one_name,
            directories_are_neither_renamed_nor_replaced,
            attributes_are_applied_or_reported,
            setuid_and_setgid_are_set_only_for_the_sources_owner,
            setting_attributes_of_a_missing_entry_fails,
            attributes_of_a_symlink_are_not_those_of_its_target,
            files_and_empty_directories_are_removed,
            a_directory_that_is_not_empty_is_not_removed,
            removing_a_symlink_keeps_its_target,
            the_root_is_not_removed,
            removing_a_missing_entry_is_not_found,
            discarding_moves_the_file_away_or_is_unsupported,
            files_are_written_concurrently,
            files_are_read_and_written_concurrently,
            one_directory_takes_concurrent_changes,
            a_cancelled_read_does_no_harm,
            a_cancelled_write_does_no_harm,
            a_reopened_tree_has_the_same_identity,
            flushed_files_survive_reopening,
            removed_files_stay_removed_after_reopening,
        }
    };
}

/// Calls the macro `$callback` with the names of all cases for a source without a sink, like
/// [`conformance_cases!`](crate::conformance_cases!) for the whole suite.
#[macro_export]
macro_rules! source_conformance_cases {
    ($($callback:tt)::+ $(; $($before:tt)*)?) => {
        $($callback)::+! {
            $($($before)*)?
            the_sample_is_listed_completely,
            a_reopened_source_has_the_same_identity,
            source_listings_agree_with_metadata,
            a_paced_source_listing_is_complete,
            the_sample_is_read_unchanged,
            the_sample_is_read_unchanged_past_caches,
            source_read_whole_stops_at_the_limit,
            a_source_is_read_at_any_offset_by_several_readers,
            source_directories_are_not_read_as_files,
            missing_source_entries_are_not_found,
            source_symlinks_are_not_followed,
        }
    };
}
