/* The syslog sink at work: what was taken, what was sent, what the receiver's side has, and the cursor behind all that. */
#include "smf/syslog_driver.h"

#include "base/clock.h"

#include <string.h>

#define EVERY_MS 500
#define CURSOR_EVERY_MS 5000
#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MOST_MS 30000

/* What a stream needs to tell messages apart. */
static void put_frame(struct smf_syslog *s, size_t from)
{
    char length[KLM_DECIMAL_MAX + 1];
    size_t n = s->out.n - from, digits;

    if (s->options.transport == SMF_SYSLOG_LOCAL) {
        klm_buf_u8(&s->out,
                   '\n'); /* between the messages of a stream; of a datagram it is not sent */
    }
    if (s->options.transport == SMF_SYSLOG_TCP || s->options.transport == SMF_SYSLOG_TLS) {
        /* RFC 6587, 3.4.1 and RFC 5425, 4.3: MSG-LEN SP SYSLOG-MSG */
        digits = klm_decimal(n, length);
        length[digits++] = ' ';
        klm_buf_put(&s->out, length, digits);
        if (klm_buf_rc(&s->out) == KLM_OK) {
            memmove(s->out.p + from + digits, s->out.p + from, n);
            memcpy(s->out.p + from, length, digits);
        }
    }
}

static klm_rc take(void *self, const struct smf_record *record)
{
    struct smf_syslog *s = self;
    size_t before = s->out.n;
    klm_rc rc;

    if (!record->left_out) {
        rc = smf_syslog_put(&s->style, record, s->taken.chain, &s->out);
        if (rc == KLM_OK) {
            put_frame(s, before);
            rc = klm_buf_rc(&s->out);
        }
        KLM_TRY(rc);
        s->ends[s->ends_n++] = (uint32_t)s->out.n;
    }
    s->taken.seq = record->seq;
    return KLM_OK;
}

static bool full(const void *self)
{
    const struct smf_syslog *s = self;

    return s->out.n >= SMF_SYSLOG_BATCH_BYTES || s->ends_n == SMF_SYSLOG_BATCH_MESSAGES;
}

static void clear_out(struct smf_syslog *s)
{
    klm_buf_clear(&s->out);
    s->ends_n = s->at = 0;
}

static struct smf_syslog_mark *newest(struct smf_syslog *s)
{
    return &s->marks[(s->marks_first + s->marks_n - 1) % SMF_SYSLOG_MARKS];
}

/* All of out is sent. With no room for another mark the newest one is moved on, which only makes it wait longer. */
static void mark_sent(struct smf_syslog *s, bool something)
{
    if (!something) { /* records that were left out need no receiver */
        if (s->marks_n == 0) {
            s->safe = s->taken;
        } else {
            newest(s)->place = s->taken;
        }
        return;
    }
    if (s->marks_n < SMF_SYSLOG_MARKS) {
        s->marks_n++;
    }
    *newest(s) = (struct smf_syslog_mark){s->taken, s->link.sent, klm_clock_mono_ms()};
}

/* Move safe over the marks that are old enough and at the other side. A receiver that stands still has not read what its system
 * has for it, so the time counts from when it stood still last. */
static void confirm(struct smf_syslog *s)
{
    uint64_t now = klm_clock_mono_ms();

    if (s->link.acked < s->link.sent && now - s->link.moved_ms >= EVERY_MS) {
        s->still_ms = now;
    }
    while (s->marks_n > 0) {
        const struct smf_syslog_mark *mark = &s->marks[s->marks_first];
        uint64_t since = mark->ms > s->still_ms ? mark->ms : s->still_ms;

        if (mark->offset > s->link.acked || now - since < s->options.resend_ms) {
            break;
        }
        s->safe = mark->place;
        s->marks_first = (s->marks_first + 1) % SMF_SYSLOG_MARKS;
        s->marks_n--;
    }
}

static uint64_t waiting(const struct smf_syslog *s)
{
    return smf_journal_last(s->journal) - s->safe.seq;
}

static void failed(struct smf_syslog *s)
{
    if (s->sink) {
        smf_sink_why(s->sink, s->link.why);
    }
    if (smf_trouble_failed(&s->trouble)) {
        klm_say(s->link.blamed ? KLM_MSG_SYSLOG_TLS : KLM_MSG_SYSLOG_DOWN, s->link.name,
                s->link.why, KLM_NUM(waiting(s)));
    }
}

/* The connection is of no more use: everything behind safe goes again over the next one. */
static void down(struct smf_syslog *s)
{
    smf_syslog_link_close(&s->link);
    s->rewind = s->rewind || s->marks_n > 0 || s->at > 0;
    s->backoff_ms = s->backoff_ms ? s->backoff_ms * 2 : BACKOFF_FIRST_MS;
    s->backoff_ms = s->backoff_ms < BACKOFF_MOST_MS ? s->backoff_ms : BACKOFF_MOST_MS;
    s->next_try_ms = klm_clock_mono_ms() + s->backoff_ms;
    failed(s);
}

/* Something was sent: the receiver is there. */
static void up(struct smf_syslog *s)
{
    uint64_t over = smf_trouble_over(&s->trouble);

    s->backoff_ms = 0;
    if (over) {
        klm_say(KLM_MSG_SYSLOG_AGAIN, s->link.name, KLM_NUM(waiting(s)), KLM_NUM(over));
    }
}

static klm_rc connect_when_due(struct smf_syslog *s)
{
    klm_rc rc;

    if (smf_syslog_link_connected(&s->link)) {
        return KLM_OK;
    }
    if (klm_clock_mono_ms() < s->next_try_ms) {
        return KLM_E_CLOSED;
    }
    rc = smf_syslog_link_connect(&s->link);
    if (rc != KLM_OK && rc != KLM_E_STATE) {
        down(s);
    }
    return rc;
}

static klm_rc send_out(struct smf_syslog *s)
{
    klm_rc rc =
        smf_syslog_link_send(&s->link, klm_buf_as_slice(&s->out), s->ends, s->ends_n, &s->at);

    if (rc == KLM_E_TIMEOUT) {
        if (smf_syslog_link_look(&s->link)) {
            failed(s); /* slow; the connection stands */
        } else {
            down(s);
        }
    } else if (rc != KLM_OK && rc != KLM_E_STATE) {
        down(s);
    }
    return rc;
}

/* Is the receiver there, and how far? One that closed while nothing was under way did nothing wrong: the next event connects
 * anew. */
static void look(struct smf_syslog *s)
{
    if (!smf_syslog_link_connected(&s->link)) {
        return;
    }
    if (smf_syslog_link_look(&s->link)) {
        confirm(s);
    } else if (s->marks_n > 0 || s->at > 0) {
        down(s);
    } else {
        smf_syslog_link_close(&s->link);
    }
}

static klm_rc write_out(void *self, uint64_t *written)
{
    struct smf_syslog *s = self;
    bool something = s->out.n > 0;

    if (something && !s->rewind) {
        KLM_TRY(connect_when_due(s));
        KLM_TRY(send_out(s));
        up(s);
    }
    if (!s->rewind) {
        mark_sent(s, something);
        clear_out(s);
    }
    look(s);
    *written = s->rewind ? s->safe.seq : s->taken.seq;
    return KLM_OK;
}

static bool again(void *self, uint64_t *after)
{
    struct smf_syslog *s = self;

    if (!s->rewind) {
        return false;
    }
    s->rewind = false;
    clear_out(s);
    s->marks_n = 0;
    s->taken = s->safe;
    *after = s->safe.seq;
    return true;
}

void smf_syslog_save_cursor(struct smf_syslog *s)
{
    struct klm_diag diag = {0};

    s->saved_ms = klm_clock_mono_ms();
    if (s->safe.seq == s->saved.seq) {
        return;
    }
    if (smf_syslog_cursor_save(s->path, &s->safe, &diag) == KLM_OK) {
        s->saved = s->safe; /* else the old one stands, from which more is sent again */
        (void)smf_trouble_over(&s->cursor_trouble);
    } else if (smf_trouble_failed(&s->cursor_trouble)) {
        klm_say_diag(&diag);
    }
}

static void tick(void *self)
{
    struct smf_syslog *s = self;

    look(s);
    if (klm_clock_mono_ms() - s->saved_ms >= CURSOR_EVERY_MS) {
        smf_syslog_save_cursor(s);
    }
}

const struct smf_sink_driver smf_syslog_driver = {.name = "syslog",
                                                  .take = take,
                                                  .full = full,
                                                  .write = write_out,
                                                  .again = again,
                                                  .tick = tick,
                                                  .every_ms = EVERY_MS,
                                                  .retry_ms = BACKOFF_FIRST_MS};

struct smf_syslog_place smf_syslog_place(const struct smf_syslog *syslog)
{
    return syslog->safe;
}

void smf_syslog_finish(struct smf_syslog *s, unsigned ms)
{
    if (!smf_syslog_link_connected(&s->link) || s->rewind) {
        return;
    }
    if (smf_syslog_link_finish(&s->link, ms) && s->marks_n > 0) {
        s->safe = newest(s)->place;
    }
    s->marks_n = 0;
}
