//! One suite of what every world must do: each case runs on io_uring, on epoll with threads, and,
//! with the feature `sim`, on the simulated world under many seeds. What only a real process can
//! show follows at the end.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test outside of the shards watches them with real clocks and threads"
)]

mod suite {
    pub mod bytes;
    pub mod cancel;
    pub mod device;
    pub mod files;
    pub mod mesh;
    pub mod process;
    pub mod run;
    pub mod shards;
    pub mod sockets;
    pub mod tasks;
}

/// A test in each world for every case: `module: case, case` with the number of its shards.
macro_rules! cases {
    ($($module:ident($shards:literal): $($case:ident),+;)+) => {
        mod on_uring {
            $($(#[test] fn $case() {
                let driver = runtime::DriverWanted::Uring;
                crate::suite::run::on_kernel(driver, $shards, crate::suite::$module::$case);
            })+)+
        }
        mod on_posix {
            $($(#[test] fn $case() {
                let driver = runtime::DriverWanted::Posix;
                crate::suite::run::on_kernel(driver, $shards, crate::suite::$module::$case);
            })+)+
        }
        #[cfg(feature = "sim")]
        mod on_sim {
            $($(#[test] fn $case() {
                crate::suite::run::on_sim($shards, crate::suite::$module::$case);
            })+)+
        }
    };
}

cases! {
    files(1):
        what_is_written_is_read_back,
        a_read_is_short_only_at_the_end_of_the_file,
        names_are_made_listed_renamed_and_removed,
        opening_says_what_is_wrong,
        a_file_is_cut_and_lengthened,
        space_and_identity_are_told,
        many_synced_writes_are_in_flight_at_once,
        registered_memory_is_written_like_any_other,
        a_shared_file_is_read_after_its_file_is_gone;
    sockets(1):
        bytes_arrive_in_order_and_end_with_the_stream,
        a_bulk_receive_fills_our_own_memory,
        a_receive_that_gives_up_loses_no_byte,
        a_peers_end_is_seen_while_its_bytes_are_unread,
        a_try_sends_what_fits_and_never_waits,
        a_vectored_send_arrives_whole,
        a_file_is_sent_without_passing_through_us,
        sending_more_than_the_file_has_is_an_error,
        a_slow_receiver_stops_only_its_own_sender,
        many_connections_wait_without_memory,
        connecting_to_nobody_is_refused,
        where_somebody_listens_nobody_else_can,
        shutdown_ends_a_waiting_receive;
    tasks(1):
        a_join_gives_the_result_or_says_aborted,
        abort_drops_what_the_task_holds,
        timers_fire_in_the_order_of_their_deadlines,
        a_timeout_drops_the_future_and_a_result_beats_it,
        yielding_lets_every_ready_task_run,
        a_budget_makes_readers_wait_for_each_other,
        a_line_may_ask_its_shard_while_it_is_written;
    cancel(1):
        a_dropped_receive_gives_its_slot_back,
        a_dropped_accept_closes_the_connection,
        an_accept_dropped_with_its_connection_closes_it,
        more_receives_end_at_once_than_the_ring_has_places_for,
        a_dropped_synced_write_keeps_its_memory_to_the_end,
        tasks_left_at_the_end_are_dropped_with_their_operations;
    bytes(1):
        chunks_come_back_when_the_last_lease_is_gone,
        waiting_for_room_ends_when_room_is_there,
        one_who_waits_for_room_is_woken_once_for_each_time_there_is_some,
        a_jumbo_takes_its_own_size_only;
    mesh(2):
        answers_find_their_callers,
        calls_beyond_the_credits_wait_and_keep_their_order,
        a_full_lane_does_not_stop_another,
        two_shards_with_full_lanes_do_not_block_each_other,
        a_dropped_request_is_unanswered,
        a_shard_that_ended_answers_nobody,
        a_request_to_a_shard_that_ended_gives_its_memory_back,
        a_dropped_call_gives_its_credit_back,
        a_shard_may_call_itself;
    shards(2):
        leases_are_returned_from_the_other_shard,
        a_file_is_sent_from_the_other_shard,
        every_shard_accepts_at_the_same_address,
        a_snapshot_is_the_same_value_everywhere;
}

/// A test on both drivers for everything that takes a real process or a real device. The names are
/// those by which a child is told what to play.
macro_rules! real {
    ($($module:ident: $($test:ident),+;)+) => {
        mod real_uring {
            $($(#[test] fn $test() {
                crate::suite::$module::$test(runtime::DriverWanted::Uring);
            })+)+
        }
        mod real_posix {
            $($(#[test] fn $test() {
                crate::suite::$module::$test(runtime::DriverWanted::Posix);
            })+)+
        }
    };
}

real! {
    process:
        a_panic_in_one_shard_ends_the_process,
        a_fatal_error_says_why_and_exits_with_70,
        a_stderr_that_nobody_reads_stops_neither_a_shard_nor_its_end,
        the_last_words_find_a_place_behind_all_others,
        a_task_that_holds_its_shard_is_named,
        a_second_sigterm_does_not_cut_a_graceful_end_short,
        a_request_from_another_thread_reaches_all_who_wait_on_every_shard,
        every_shard_is_a_named_thread_on_a_core_of_its_own,
        an_idle_shard_does_nothing_at_all,
        the_lock_of_a_killed_process_is_free_when_its_writes_have_landed,
        receives_that_find_no_pooled_memory_bring_their_own;
    device:
        the_device_is_flushed_for_every_durable_write;
}
