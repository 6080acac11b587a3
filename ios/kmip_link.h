/* A KMIP client's connections: one to each key server, under mutual TLS, kept for the next message. A message goes out as a tree and comes back as one. One thread uses it. */
#ifndef IOS_KMIP_LINK_H
#define IOS_KMIP_LINK_H

#include "ios/kmip_keys.h"

struct ios_kmip_link;

struct ios_kmip_config {
    const struct ios_system_identity *identity; /* borrowed */
    uint32_t timeout_ms;                        /* for an answer; 0: 5,000 */
    uint32_t connect_ms;                        /* for a connection; 0: 2,000 */
};
/* Opens no connection yet. KLM_E_CRYPTO with a message. */
klm_rc ios_kmip_link_new(const struct ios_kmip_config *config, struct klm_diag *diag,
                         struct ios_kmip_link **out) KLM_MUST_USE;
void ios_kmip_link_free(struct ios_kmip_link **link);
/* Send a Request Message and take in the Response Message, decoded into the pool, which wipes. A connection that was kept and has died meanwhile is made anew. why (IOS_WHY_MAX bytes) says what
 * failed: KLM_E_IO, KLM_E_TIMEOUT, KLM_E_CLOSED, KLM_E_NOTFOUND (no such host), KLM_E_CRYPTO (TLS), KLM_E_INVALID and KLM_E_LIMIT (no sound answer). A request that may have been carried out though
 * no answer came is not sent twice, unless again says that it does no harm. */
klm_rc ios_kmip_link_ask(struct ios_kmip_link *link, const struct ios_keyserver *server,
                         const struct kmip_node *request, bool again, struct klm_pool *wiping,
                         const struct kmip_node **answer, char *why) KLM_MUST_USE;
/* The same as a way of messages; the link is borrowed. */
struct ios_kmip_way ios_kmip_link_way(struct ios_kmip_link *link);

#endif
