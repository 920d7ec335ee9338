"""The attack list has 62 numbers: each is held by tests that are there, or says why not yet."""

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.acceptance.attacks import rows

ROOT = Path(__file__).parents[1]

EDGE = "acceptance/attacks/test_rows.py::test_an_attack_gets_its_exact_answer_and_changes_nothing"
FLOODS = "acceptance/attacks/test_floods.py"
INSIDE = "acceptance/attacks/test_inside.py"
FRAMING = "integration/test_framing.py"
HOSTILE = f"{FRAMING}::test_hostile_bytes_get_their_exact_answer"
LISTENER = "integration/test_public_listener.py"
RECEIVE = "integration/test_receive.py"
OVERLOAD = "integration/test_overload.py"
PRESETS = "contract/test_providers.py"
SIGNING = "unit/verification/test_signing.py"
STANDARD = "unit/providers/test_standardwebhooks.py"
TOKENS = "unit/verification/test_tokens.py"
KEYS = "integration/test_keys.py"
CERTIFICATES = "unit/verification/test_certificates.py"
PUBLIC_KEYS = "unit/verification/test_publickeys.py"
BODIES = "unit/providers/test_attacks.py"
QUARANTINE = f"{BODIES}::test_what_cannot_be_read_is_quarantined_whatever_its_format_and_type"
FORMATS = "unit/providers/test_bodies.py"
API = "integration/test_attacks_on_the_api.py"
AUTH = "unit/web/test_auth.py"
TOLD = "contract/test_told.py"
EVENTS = "unit/worker/test_rabbitmq_crm.py"
LOGS = "unit/test_telemetry.py"
AUDIT = "integration/test_audit.py"
CLI = "integration/test_cli_inside.py"
CONSOLE = "integration/test_attacks_on_the_console.py"
OIDC = "integration/test_oidc.py"
BROWSER = "browser/test_sign_in.py"
SITE = "browser/test_site.py"
PAGES = "browser/test_hostile.py"

HELD: Mapping[int, tuple[str, ...]] = {
    1: (EDGE, HOSTILE),
    2: (EDGE, HOSTILE),
    3: (EDGE, HOSTILE),
    4: (EDGE, HOSTILE),
    5: (EDGE, HOSTILE),
    6: (EDGE, HOSTILE),
    7: (EDGE, HOSTILE),
    8: (EDGE, HOSTILE),
    9: (EDGE, HOSTILE),
    10: (EDGE, HOSTILE),
    11: (
        EDGE,
        HOSTILE,
        f"{FLOODS}::test_11_a_megabyte_of_address_byte_by_byte_is_given_up_early",
    ),
    12: (
        f"{FLOODS}::test_12_ten_thousand_pipelined_requests_stay_in_bounds",
        f"{FLOODS}::test_12_whoever_reads_no_answer_makes_no_more_of_them",
    ),
    13: (
        EDGE,
        f"{OVERLOAD}::test_a_body_without_a_length_is_taken_only_where_that_is_allowed",
    ),
    14: (EDGE, f"{FRAMING}::test_ten_megabytes_of_trailers_are_not_read"),
    15: (EDGE, f"{FRAMING}::test_a_lying_length_is_never_believed"),
    16: (
        EDGE,
        f"{FRAMING}::test_a_body_is_invited_only_when_it_is_welcome",
        f"{FRAMING}::test_an_invited_body_that_never_comes_ends_with_408",
    ),
    17: (
        f"{FLOODS}::test_17_a_crowd_of_slow_connections_costs_little_and_delays_nobody",
        f"{FLOODS}::test_17_whoever_is_slow_is_cut_off_and_stores_nothing",
        f"{FRAMING}::test_dripping_headers_and_silence_are_cut_off",
        f"{FRAMING}::test_too_many_connections_are_turned_away_and_room_is_made_again",
    ),
    18: (EDGE, f"{FRAMING}::test_unusual_but_sound_requests_are_accepted"),
    19: (EDGE,),
    20: (
        EDGE,
        f"{LISTENER}::test_a_forwarded_address_is_believed_from_trusted_proxies_only",
    ),
    21: (
        EDGE,
        f"{OVERLOAD}::test_a_header_that_looks_like_another_is_refused_beside_it",
        f"{PRESETS}::test_a_proof_sent_twice_is_refused_even_if_one_is_right",
        f"{PRESETS}::test_a_proof_that_looks_like_another_header_is_refused",
    ),
    22: (EDGE, HOSTILE),
    23: (EDGE,),
    24: (
        EDGE,
        f"{PRESETS}::test_a_missing_proof_is_refused_and_called_that",
        f"{PRESETS}::test_junk_in_place_of_the_proof_is_refused",
        f"{SIGNING}::test_a_header_longer_than_the_limit_is_refused_unread",
    ),
    25: (EDGE, f"{SIGNING}::test_more_candidates_than_the_limit_are_refused_unread"),
    26: (EDGE, f"{PRESETS}::test_another_secret_is_refused_with_the_reason"),
    27: (EDGE, f"{PRESETS}::test_one_flipped_bit_anywhere_in_the_body_is_refused"),
    28: (
        EDGE,
        f"{SIGNING}::test_a_time_that_is_not_plain_digits_is_refused",
        f"{SIGNING}::test_digits_of_other_scripts_are_no_time",
        f"{PRESETS}::test_a_signed_time_is_taken_within_the_tolerance_on_both_sides",
    ),
    29: (EDGE, f"{STANDARD}::test_an_id_cannot_borrow_from_the_time"),
    30: (
        f"{FLOODS}::test_30_a_replay_is_answered_alike_and_stored_once",
        f"{FLOODS}::test_30_another_name_for_what_was_signed_makes_it_forged",
    ),
    31: (
        f"{PRESETS}::test_while_a_secret_is_changed_both_are_taken",
        f"{PRESETS}::test_another_secret_is_refused_with_the_reason",
        f"{TOKENS}::test_times_are_judged_by_our_clock",
        f"{CERTIFICATES}::test_a_certificate_that_is_not_the_senders_is_of_no_use",
    ),
    32: (
        EDGE,
        f"{SIGNING}::test_spellings_of_the_right_signature_are_taken",
        f"{SIGNING}::test_cut_stretched_and_foreign_signatures_are_refused",
    ),
    33: (
        f"{SIGNING}::test_the_decoy_costs_what_a_wrong_signature_costs",
        f"{FLOODS}::test_33_a_timing_probe_learns_little",
    ),
    34: (
        EDGE,
        f"{FLOODS}::test_34_nobody_learns_which_sources_there_are",
        f"{RECEIVE}::test_a_forged_request_and_an_unknown_source_get_the_very_same_answer",
    ),
    35: (
        f"{INSIDE}::test_35_a_forged_signature_of_a_sender_is_refused",
        f"{INSIDE}::test_35_a_forged_token_opens_nothing_of_the_api",
        f"{AUTH}::test_a_forged_token_is_401_and_quickly",
        f"{AUTH}::test_what_a_token_says_about_its_key_is_not_looked_at",
        f"{TOKENS}::test_a_public_key_used_as_an_hmac_secret_passes_nowhere",
        f"{TOKENS}::test_the_token_does_not_choose_the_algorithm",
        f"{TOKENS}::test_a_key_the_token_brings_along_is_not_listened_to",
        f"{TOKENS}::test_critical_parameters_that_are_not_known_are_refused",
        f"{TOKENS}::test_issuer_and_audience_are_compared_whole",
        f"{TOKENS}::test_unencoded_without_being_critical_is_refused",
        f"{TOKENS}::test_a_token_too_long_to_be_taken_apart_is_refused_by_its_length",
    ),
    36: (
        f"{INSIDE}::test_36_a_flood_of_unknown_key_names_asks_the_key_server_hardly_ever",
        f"{KEYS}::test_a_new_key_id_refreshes_once_a_minute_and_no_oftener",
        f"{KEYS}::test_whoever_invents_addresses_soon_makes_us_ask_nobody",
        f"{PUBLIC_KEYS}::test_a_key_name_too_long_is_refused_without_asking_anybody",
    ),
    37: (
        f"{INSIDE}::test_37_a_hostile_key_server_costs_one_short_question",
        f"{KEYS}::test_a_server_that_answers_badly_leaves_the_request_undecided",
        f"{KEYS}::test_a_slow_server_is_given_up",
        f"{KEYS}::test_what_is_no_web_address_is_not_asked",
        f"{TOKENS}::test_keys_of_a_key_set_are_chosen_by_the_key_id_alone",
    ),
    38: (
        EDGE,
        f"{CERTIFICATES}::test_the_host_of_sns_is_a_region_and_no_bucket",
        f"{CERTIFICATES}::test_sns_refuses_what_was_changed",
        f"{CERTIFICATES}::test_sns_needs_to_know_whose_topics_are_taken",
    ),
    39: (EDGE, f"{BODIES}::test_an_odd_key_is_taken_exactly_as_written"),
    40: (
        EDGE,
        f"{BODIES}::test_40_a_number_that_would_swell_is_left_out_or_unreadable",
    ),
    41: (
        EDGE,
        f"{BODIES}::test_41_a_number_that_may_not_be_exact_is_no_key_and_no_order",
    ),
    42: (EDGE, QUARANTINE, f"{BODIES}::test_42_a_million_keys_are_read_past"),
    43: (EDGE, QUARANTINE),
    44: (EDGE, QUARANTINE),
    45: (
        EDGE,
        QUARANTINE,
        f"{BODIES}::test_45_a_wrong_type_for_the_order_is_no_order",
        f"{BODIES}::test_45_a_wrong_type_for_the_status_is_unmapped",
        f"{BODIES}::test_45_a_wrong_type_for_a_fact_is_left_out",
    ),
    46: (EDGE, f"{BODIES}::test_an_odd_key_is_taken_exactly_as_written"),
    47: (
        EDGE,
        f"{FORMATS}::test_hostile_xml_is_unreadable_at_once",
        f"{FORMATS}::test_an_xinclude_is_an_element_like_any_other",
    ),
    48: (EDGE, QUARANTINE),
    49: (EDGE, f"{BODIES}::test_49_a_lying_content_type_changes_nothing"),
    50: (
        EDGE,
        f"{API}::test_50_and_58_what_is_shown_is_never_a_page",
        f"{API}::test_50_the_board_of_the_sandbox_writes_texts_only",
        f"{PAGES}::test_every_stored_text_is_hostile_and_no_page_takes_it_for_more",
    ),
    51: (EDGE,),
    52: (
        EDGE,
        f"{LOGS}::test_text_cannot_forge_a_line_or_repaint_a_terminal",
        f"{LOGS}::test_long_text_is_cut_and_says_so",
        f"{LOGS}::test_every_field_is_bounded_at_any_depth",
    ),
    53: (
        EDGE,
        f"{KEYS}::test_a_header_no_request_can_carry_is_refused",
        f"{TOLD}::test_awkward_references_arrive_unharmed",
        f"{EVENTS}::test_binary_mode_puts_the_attributes_into_headers",
    ),
    54: (
        EDGE,
        f"{EVENTS}::test_no_word_of_a_routing_key_is_a_wildcard",
        f"{EVENTS}::test_a_routing_key_that_is_too_long_is_refused",
    ),
    55: (
        f"{KEYS}::test_no_address_of_ours_counts_as_public",
        f"{KEYS}::test_guarded_nothing_of_ours_is_reached",
        f"{KEYS}::test_what_is_no_web_address_is_not_asked",
    ),
    56: (
        f"{TOLD}::test_ten_gigabytes_cost_no_memory",
        f"{TOLD}::test_a_never_ending_answer_counts_by_its_status_and_is_cut",
        f"{TOLD}::test_hostile_answers_are_classed_and_never_raise",
        f"{TOLD}::test_a_redirect_is_not_followed",
    ),
    57: (
        f"{API}::test_57_what_a_browser_can_be_made_to_send_carries_no_token",
        f"{API}::test_57_nobody_gets_leave_to_ask_across_origins",
        f"{API}::test_57_a_get_changes_nothing",
        f"{BROWSER}::test_a_form_of_another_page_changes_nothing",
        f"{CONSOLE}::test_57_a_page_of_elsewhere_neither_signs_in_nor_out",
        f"{SITE}::test_every_route_wants_its_role_and_nothing_less",
    ),
    58: (
        f"{API}::test_50_and_58_what_is_shown_is_never_a_page",
        f"{CONSOLE}::test_58_nothing_that_is_answered_may_be_framed_or_guessed",
        f"{BROWSER}::test_the_console_is_never_in_a_frame_and_runs_only_its_own_scripts",
        "browser/test_orders.py::test_a_request_is_shown_masked_and_downloaded_as_a_file",
    ),
    59: (
        f"{CONSOLE}::test_59_a_cookie_that_somebody_planted_is_never_the_session",
        f"{CONSOLE}::test_59_a_stolen_cookie_is_worth_little_for_long",
        f"{CONSOLE}::test_59_nobody_is_let_in_by_a_cookie_of_their_own_making",
        f"{CONSOLE}::test_59_a_token_of_the_api_begins_no_session_and_a_link_is_no_token",
        f"{CONSOLE}::test_59_nothing_takes_a_logout_token",
        f"{BROWSER}::test_a_link_signs_in_once",
        f"{BROWSER}::test_signing_out_ends_the_session_and_not_only_the_cookie",
        f"{OIDC}::test_a_token_with_a_wrong_claim_lets_nobody_in",
        f"{OIDC}::test_a_token_of_nobodys_signature_lets_nobody_in",
        f"{OIDC}::test_a_token_never_brings_its_own_key",
        f"{OIDC}::test_an_answer_counts_once_and_only_in_the_browser_that_asked",
        f"{OIDC}::test_an_answer_that_nobody_asked_for_is_refused",
        f"{OIDC}::test_an_answer_of_another_provider_is_refused_before_its_code_is_used",
        f"{OIDC}::test_a_stolen_answer_is_worth_nothing_without_the_verifier",
        f"{OIDC}::test_nobody_is_led_to_another_host",
    ),
    60: (
        f"{API}::test_60_no_secret_is_read_back",
        f"{API}::test_60_a_body_sets_no_more_than_it_may",
        f"{CONSOLE}::test_60_a_form_does_not_say_who_acts_or_as_what",
        f"{CONSOLE}::test_60_no_secret_is_read_back",
        f"{CONSOLE}::test_60_what_is_not_there_and_what_one_may_not_see_are_told_apart_by_role_alone",
        f"{SITE}::test_nobody_who_is_not_signed_in_gets_past_the_door",
    ),
    61: (
        f"{INSIDE}::test_61_an_expensive_question_is_answered_in_bounds",
        f"{API}::test_61_a_question_that_would_cost_too_much_is_answered_at_once",
        "integration/test_traffic_api.py::test_a_filter_that_is_not_understood_is_a_400",
        f"{CONSOLE}::test_61_an_expensive_question_is_answered_at_once",
        f"{CONSOLE}::test_61_an_order_beyond_bounds_is_refused",
        f"{CONSOLE}::test_61_bulk_work_takes_a_second_person",
        f"{CONSOLE}::test_61_a_form_no_browser_would_send_is_refused",
    ),
    62: (
        f"{AUDIT}::test_nothing_of_it_can_be_changed_or_taken_away",
        f"{AUDIT}::test_a_row_edited_reordered_or_deleted_is_found",
        f"{AUDIT}::test_an_action_put_in_past_the_trigger_is_found",
        f"{AUDIT}::test_a_chain_without_its_end_is_found_by_a_head_that_was_written_down",
        f"{CLI}::test_62_a_broken_record_of_acts_exits_1_and_says_where",
    ),
}

WAITS: Mapping[int, str] = {
    51: "Exports to CSV or a workbook: nothing is exported.",
    59: "Forged logout tokens: no back channel takes any.",
    60: "Tenants: an installation has one.",
}
"""What no test can hold because what it attacks is not there."""

UNMEASURED: Mapping[int, str] = {
    31: "A secret that is active no more is one key less to compare with: it costs what 24 costs.",
    55: "Refused before a connection is made; nothing is read.",
    56: f"At a worker, which has no listener: {TOLD}::test_ten_gigabytes_cost_no_memory.",
    57: "Refused by what is missing in the head, as 24.",
    58: "A matter of headers of the answer.",
    59: "Sessions are refused by one look-up; tokens are as long as headers may be, as 24.",
    60: "Bodies of the API are bounded like others, as 15.",
    62: "Done to the database behind our back.",
}
"""What is held by tests that do not measure a gateway, and why."""


def test_no_number_is_missing() -> None:
    assert set(range(1, 63)) == HELD.keys()
    assert WAITS.keys() < HELD.keys()


def test_every_attack_is_measured_or_says_why_not() -> None:
    """Memory and lateness of a real gateway, while it is attacked."""
    measured = {
        number
        for number, places in HELD.items()
        if any(
            place.partition("::")[0] in {EDGE.partition("::")[0], FLOODS, INSIDE}
            for place in places
        )
    }
    assert HELD.keys() - measured == UNMEASURED.keys()


@pytest.mark.parametrize("file", [EDGE.partition("::")[0], FLOODS, INSIDE])
def test_what_measures_compares_with_the_bounds(file: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    assert "watch.grown <= MEMORY" in text
    assert "watch.late <= LAG" in text


@pytest.mark.parametrize("number", HELD)
def test_what_holds_an_attack_is_there(number: int) -> None:
    for place in HELD[number]:
        file, _, name = place.partition("::")
        assert name in _tests(file), place


def test_every_row_belongs_to_a_number_that_names_the_table() -> None:
    tabled = {attack.number for attack in rows.TABLE}
    assert tabled == {number for number, places in HELD.items() if EDGE in places}


def test_no_row_is_twice_in_the_table() -> None:
    names = [str(attack) for attack in rows.TABLE]
    assert sorted(set(names)) == sorted(names)


@cache
def _tests(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))
