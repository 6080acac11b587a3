/* Headers of answers: what either side calls a request (KMIP 1.4, 6.18 and 6.19; 2.1, 9.9 and 9.10). */
#include "kmip/ops/ops_rig.h"

static struct rig rig;

static void serving(void)
{
    if (!rig.house.server) {
        rig_open(&rig, "header", "server.id=KLM7\n");
    }
}

/* The header of the answer to a Query. */
static const struct kmip_node *header_of(int version, const char *header)
{
    return kmip_child(rig_tree(&rig, version, header, "Query{QueryFunction=QueryOperations} "),
                      KMIP_TAG_ResponseHeader);
}

static bool says(const struct kmip_node *header, uint32_t tag, const char *text)
{
    const struct kmip_node *field = kmip_child(header, tag);

    return text ? field && klm_slice_equal(field->bytes, klm_slice_str(text)) : !field;
}

TEST(each_side_hears_what_the_other_calls_the_request_and_both_are_recorded)
{
    static const int later[] = {KMIP_V(1, 4), KMIP_V(2, 0), KMIP_V(2, 1)};
    char text[40], header[80];

    serving();
    for (size_t i = 0; i < KLM_COUNT(later); i++) {
        const struct kmip_node *answer;

        rig.number = 41 + i;
        snprintf(header, sizeof header, "ClientCorrelationValue='copy %zu of backup'", i);
        answer = header_of(later[i], header);
        snprintf(text, sizeof text, "KLM7-1-%zu", 41 + i);
        CHECK(says(answer, KMIP_TAG_ServerCorrelationValue, text));
        CHECK_INT(events(&rig.house, "kmip-query", SMF_SUCCESS, NULL, text), 1);
        snprintf(text, sizeof text, "copy %zu of backup", i);
        CHECK(says(answer, KMIP_TAG_ClientCorrelationValue, text));
        CHECK_INT(events(&rig.house, "kmip-query", SMF_SUCCESS, NULL, text), 1);
    }
    rig.number = 0;
}

TEST(a_refusal_has_them_too)
{
    const struct kmip_node *answer;

    serving();
    rig.number = 50;
    answer =
        kmip_child(rig_tree(&rig, KMIP_V(1, 4),
                            "ClientCorrelationValue='of nothing' AsynchronousIndicator:Integer=1",
                            "Query{QueryFunction=QueryOperations} "),
                   KMIP_TAG_ResponseHeader);
    CHECK(says(answer, KMIP_TAG_ServerCorrelationValue, "KLM7-1-50"));
    CHECK_INT(events(&rig.house, NULL, SMF_FAILURE, NULL, "KLM7-1-50"), 1);
    CHECK_INT(events(&rig.house, NULL, SMF_FAILURE, NULL, "of nothing"), 1);
    rig.number = 0;
}

TEST(earlier_versions_do_not_know_them)
{
    static const char early[] = "ClientCorrelationValue='too early'";

    serving();
    rig.number = 60;
    CHECK(says(header_of(KMIP_V(1, 3), early), KMIP_TAG_ServerCorrelationValue, NULL));
    CHECK(says(header_of(KMIP_V(1, 0), early), KMIP_TAG_ServerCorrelationValue, NULL));
    CHECK_INT(events(&rig.house, NULL, -1, NULL, "KLM7-1-60"), 0);
    rig.number = 0;
}

/* PyKMIP reads no answer that has one. */
TEST(who_says_nothing_of_a_request_is_told_nothing)
{
    serving();
    rig.number = 61;
    CHECK(says(header_of(KMIP_V(1, 4), ""), KMIP_TAG_ServerCorrelationValue, NULL));
    CHECK(says(header_of(KMIP_V(2, 1), ""), KMIP_TAG_ServerCorrelationValue, NULL));
    CHECK_INT(events(&rig.house, NULL, -1, NULL, "KLM7-1-61"), 0);
    rig.number = 0;
}

TEST(a_stranger_hears_nothing_of_the_server_and_what_it_says_is_recorded)
{
    serving();
    rig.number = 70;
    rig.who = &rig.stranger;
    CHECK(says(header_of(KMIP_V(2, 1), "ClientCorrelationValue='who am I'"),
               KMIP_TAG_ServerCorrelationValue, NULL));
    CHECK_INT(events(&rig.house, "kmip-query", -1, NULL, "who am I"), 1);
    rig.who = &rig.mine;
    rig.number = 0;
}

TEST(so_is_what_a_client_says_that_does_not_show_who_it_is)
{
    serving();
    DO(&rig.house, KM_CLIENT_MODIFY, &admin, "name", "ALPHA", "device", "SN-1");
    rig.number = 80;
    CHECK(says(header_of(KMIP_V(2, 1), "ClientCorrelationValue='anybody there'"),
               KMIP_TAG_ServerCorrelationValue, NULL));
    CHECK_INT(events(&rig.house, "kmip-query", -1, NULL, "anybody there"), 1);
    rig.number = 0;
    DO(&rig.house, KM_CLIENT_MODIFY, &admin, "name", "ALPHA", "device", "");
}

/* The answer has it as it came; the record as much of it as its field holds. */
TEST(a_long_text_is_recorded_as_far_as_it_can_be)
{
    char text[301], header[400];

    serving();
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    snprintf(header, sizeof header, "ClientCorrelationValue='%s'", text);
    CHECK(says(header_of(KMIP_V(2, 1), header), KMIP_TAG_ClientCorrelationValue, text));
    text[256] = '\0';
    CHECK_INT(events(&rig.house, "kmip-query", SMF_SUCCESS, NULL, text), 1);
}

TEST(the_server_ends)
{
    serving();
    rig_close(&rig);
}
