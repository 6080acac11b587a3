/* Heads of HTTP requests: what is taken keeps within its limits and is read the same when nothing stands behind it; what is cut short is waited for or refused. */
#include "klmsrv/kmip_http.h"

#include <stdlib.h>
#include <string.h>

#define BODY_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* Byte by byte the outcome is the same, or an earlier refusal of the same kind. */
static void check_cut(const uint8_t *data, const struct srv_http_request *whole)
{
    struct srv_http_request part;

    for (size_t n = 0; n < whole->head; n++) {
        require(srv_http_read(KLM_SLICE(data, n), BODY_MAX, &part) == KLM_E_AGAIN);
    }
    require(srv_http_read(KLM_SLICE(data, whole->head), BODY_MAX, &part) == KLM_OK);
    require(part.status == 0 && part.head == whole->head && part.body == whole->body &&
            part.encoding == whole->encoding && part.type == whole->type &&
            part.close == whole->close && part.expects == whole->expects);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct srv_http_request request = {.status = 999};
    struct klm_buf out;
    klm_rc rc = srv_http_read(KLM_SLICE(data, size), BODY_MAX, &request);

    if (rc == KLM_E_AGAIN) {
        require(request.status == 999 && size <= SRV_HTTP_HEAD_MAX);
        return 0;
    }
    require(rc == KLM_OK);
    klm_buf_init(&out, 4096);
    if (request.status) {
        require(request.status >= 400 && request.head == 0 && request.body == 0);
        srv_http_refuse(request.status, &out);
    } else {
        require(request.head <= size && request.head <= SRV_HTTP_HEAD_MAX);
        require(request.body > 0 && request.body <= BODY_MAX && request.type);
        check_cut(data, &request);
        srv_http_answer(request.type, request.body, request.close, &out);
    }
    require(klm_buf_rc(&out) == KLM_OK);
    klm_buf_done(&out);
    return 0;
}
