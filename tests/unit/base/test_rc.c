/* Outcomes. */
#include "test.h"

#include <errno.h>

TEST(each_outcome_has_its_own_name_and_a_text)
{
    for (int i = 0; i <= KLM_E_INTERNAL; i++) {
        CHECK(strncmp(klm_rc_name((klm_rc)i), "KLM_", 4) == 0);
        CHECK(klm_rc_text((klm_rc)i)[0] != '\0');
        for (int k = 0; k < i; k++) {
            CHECK(strcmp(klm_rc_name((klm_rc)i), klm_rc_name((klm_rc)k)) != 0);
        }
    }
    CHECK_STR(klm_rc_name(KLM_E_LIMIT), "KLM_E_LIMIT");
    CHECK_STR(klm_rc_text(KLM_E_SHORT), "input ends too early");
}

TEST(an_outcome_out_of_range_still_has_a_text)
{
    CHECK_STR(klm_rc_name((klm_rc)9999), "KLM_E_UNKNOWN");
    CHECK_STR(klm_rc_text((klm_rc)-1), "an unknown outcome");
}

TEST(errno_values_become_outcomes)
{
    CHECK_RC(klm_rc_errno(ENOSPC), KLM_E_NOSPACE);
    CHECK_RC(klm_rc_errno(EDQUOT), KLM_E_NOSPACE);
    CHECK_RC(klm_rc_errno(ENOENT), KLM_E_NOTFOUND);
    CHECK_RC(klm_rc_errno(ENOMEM), KLM_E_NOMEM);
    CHECK_RC(klm_rc_errno(EACCES), KLM_E_DENIED);
    CHECK_RC(klm_rc_errno(EPERM), KLM_E_DENIED);
    CHECK_RC(klm_rc_errno(EIO), KLM_E_IO);
}
