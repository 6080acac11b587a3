/* Arrays of tests: states with content, folders with an identity, the key managers of fake_km.h. */
#ifndef TESTS_UNIT_IOS_ARRAY_HELP_H
#define TESTS_UNIT_IOS_ARRAY_HELP_H

#include "test.h"

#include "base/file.h"
#include "base/secret.h"
#include "ios/array.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARRAY_SERIAL "75DS80000001"
#define GROUP "EG0001"

static const uint8_t array_group_key[32] = {7, 1, 7, 2, 7, 3};
static const uint8_t array_data_key[32] = {9, 8, 7, 6, 5}; /* that of fake_km.h */

/* A state with one data key and no recovery key. */
static inline struct ios_array_state array_state(void)
{
    struct ios_array_state state = {
        .change = 1, .serial = ARRAY_SERIAL, .group = GROUP, .sets_n = 1};
    struct ios_array_set *set = &state.set[0];

    set->made = 1318966508000000;
    set->labels_n = set->eedk_n = 2;
    set->labels[0] = (struct kx_label){"LABEL1", 'L'};
    set->labels[1] = (struct kx_label){"LABEL2", 'H'};
    memcpy(set->eedk[0], "eedk one", 8);
    memcpy(set->eedk[1], "eedk two", 8);
    set->eedk_size[0] = set->eedk_size[1] = 8;
    REQUIRE_OK(ios_array_seal(IOS_USE_DATA_KEY, state.serial, state.group, array_data_key,
                              array_group_key, set->salt, set->wrapped));
    return state;
}

/* Put a state into a folder of the test, made when it is missing. */
static inline void array_put(const char *dir, const struct ios_array_state *state)
{
    struct klm_buf buf;
    char path[4200];

    REQUIRE_OK(klm_folder_make(dir, 0700, NULL));
    klm_buf_init(&buf, IOS_ARRAY_STATE_MAX);
    REQUIRE_OK(ios_array_encode(state, &buf));
    snprintf(path, sizeof path, "%s/array.state", dir);
    REQUIRE_OK(klm_file_replace(path, klm_buf_as_slice(&buf), 0600, NULL));
    klm_buf_done(&buf);
}

static inline struct ios_array_state array_get(const char *dir)
{
    struct ios_array_state state = {0};

    REQUIRE_OK(ios_array_load(dir, NULL, &state));
    return state;
}

#endif
