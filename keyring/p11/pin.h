/* The PIN file: a regular file of the task's user or of root that nobody else may read; the PIN is its first line. */
#ifndef KEYRING_P11_PIN_H
#define KEYRING_P11_PIN_H

#include "base/msg.h"

#define P11_PIN_MAX 255

/* Read it into pin (secret memory of P11_PIN_MAX bytes). KLM_E_INVALID with a message that names the file and what is wrong with it. */
klm_rc p11_pin_read(const char *path, uint8_t *pin, size_t *n, struct klm_diag *diag) KLM_MUST_USE;

#endif
