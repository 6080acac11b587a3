/* A connection to a KMIP server, as a client of no connection with ours would have it: OpenSSL, one message at a time, waiting for each. TTLV goes as it is over
 * TLS; by HTTPS a message in any encoding is the body of a POST (KMIP Profiles 2.1, 5.5). */
#ifndef TESTS_CONFORMANCE_LINK_H
#define TESTS_CONFORMANCE_LINK_H

#include "tests/conformance/case.h"

enum cf_encoding { CF_TTLV, CF_XML, CF_JSON };

struct cf_server {
    const char *host;
    int port, https_port; /* 0: none */
    const char *cert, *key, *authority;
    int seconds; /* how long to wait for anything */
};
struct cf_link;

/* Get ready; connects at the first message. KLM_E_CRYPTO: certificate or key cannot be read, why says so. */
klm_rc cf_link_new(const struct cf_server *server, enum cf_encoding encoding, bool https,
                   struct cf_link **out, char why[CF_WHY_MAX]) KLM_MUST_USE;
void cf_link_free(struct cf_link **link);
/* Send a message and read its answer into the pool. A failure closes the connection; why says what happened. KLM_E_CLOSED: there is no server. */
klm_rc cf_link_call(struct cf_link *link, const struct kmip_node *request, struct klm_pool *pool,
                    struct kmip_node **answer, char why[CF_WHY_MAX]) KLM_MUST_USE;

#endif
