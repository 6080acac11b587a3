/* Lanes: order, waiting on both sides, and either side that ends it. */
#include "test.h"

#include "base/lane.h"

#include <pthread.h>
#include <unistd.h>

#define PIECES 20000

struct giver {
    struct klm_lane *lane;
    int n;        /* pieces to give */
    klm_rc why;   /* said at the end */
    bool refused; /* a slot was refused */
};

static void *give_all(void *arg)
{
    struct giver *giver = arg;

    for (int i = 0; i < giver->n; i++) {
        int *slot = klm_lane_slot(giver->lane);

        if (!slot) {
            giver->refused = true;
            break;
        }
        *slot = i;
        klm_lane_give(giver->lane);
    }
    klm_lane_end(giver->lane, giver->why);
    return NULL;
}

static pthread_t begin(struct giver *giver, size_t slots)
{
    pthread_t thread;

    REQUIRE_OK(klm_lane_new(slots, sizeof(int), &giver->lane));
    REQUIRE(pthread_create(&thread, NULL, give_all, giver) == 0);
    return thread;
}

TEST(all_pieces_come_in_order_and_then_the_end_with_its_reason)
{
    for (size_t slots = 2; slots <= 4; slots++) {
        struct giver giver = {.n = PIECES, .why = KLM_E_CORRUPT};
        pthread_t thread = begin(&giver, slots);
        klm_rc why = KLM_OK;
        int n = 0;

        for (const int *piece; (piece = klm_lane_take(giver.lane, &why)); n++) {
            REQUIRE(*piece == n);
        }
        CHECK_INT(n, PIECES);
        CHECK_RC(why, KLM_E_CORRUPT);
        CHECK(klm_lane_take(giver.lane, &why) == NULL); /* it stays at its end */
        pthread_join(thread, NULL);
        CHECK(!giver.refused);
        klm_lane_free(&giver.lane);
        CHECK(giver.lane == NULL);
    }
}

TEST(a_slot_is_not_given_again_while_it_is_held)
{
    struct giver giver = {.n = 100};
    pthread_t thread = begin(&giver, 2);
    klm_rc why;
    const int *first = klm_lane_take(giver.lane, &why);

    usleep(20000); /* the giver has had its time */
    REQUIRE(first && *first == 0);
    for (int n = 1; klm_lane_take(giver.lane, &why); n++) {
    }
    pthread_join(thread, NULL);
    klm_lane_free(&giver.lane);
}

TEST(a_taker_that_wants_no_more_lets_the_giver_go)
{
    struct giver giver = {.n = PIECES};
    pthread_t thread = begin(&giver, 2);
    klm_rc why;

    REQUIRE(klm_lane_take(giver.lane, &why) != NULL);
    klm_lane_close(giver.lane);
    pthread_join(thread, NULL);
    CHECK(giver.refused);
    klm_lane_free(&giver.lane);
}

TEST(a_taker_is_behind_while_something_waits_for_it_and_not_for_what_it_holds)
{
    struct klm_lane *lane = NULL;
    klm_rc why;

    REQUIRE_OK(klm_lane_new(3, sizeof(int), &lane));
    CHECK(!klm_lane_behind(lane));
    for (int i = 0; i < 2; i++) {
        REQUIRE(klm_lane_slot(lane) != NULL);
        klm_lane_give(lane);
        CHECK(klm_lane_behind(lane));
    }
    REQUIRE(klm_lane_take(lane, &why) != NULL);
    CHECK(klm_lane_behind(lane));
    REQUIRE(klm_lane_take(lane, &why) != NULL);
    CHECK(!klm_lane_behind(lane));
    klm_lane_end(lane, KLM_OK);
    CHECK(klm_lane_take(lane, &why) == NULL);
    klm_lane_free(&lane);
}

TEST(what_is_no_lane_is_refused)
{
    struct klm_lane *lane = NULL;

    CHECK_RC(klm_lane_new(1, 10, &lane), KLM_E_INVALID);
    CHECK_RC(klm_lane_new(17, 10, &lane), KLM_E_INVALID);
    CHECK(lane == NULL);
    klm_lane_free(&lane);
}
