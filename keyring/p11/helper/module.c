/* The library: the file is checked, loaded and initialised. */
#include "keyring/p11/helper/pk.h"

#include "base/msg.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    ck_rv_t rv;
    enum p11_outcome outcome;
} meanings[] = {
#define PK_RV(rv, outcome) {rv, outcome},
#include "keyring/p11/helper/rv.def"
#undef PK_RV
};

struct pk_end pk_end(ck_rv_t rv)
{
    if (rv == CKR_OK) {
        return PK_DONE;
    }
    for (size_t i = 0; i < KLM_COUNT(meanings); i++) {
        if (meanings[i].rv == rv) {
            return (struct pk_end){meanings[i].outcome, rv};
        }
    }
    return (struct pk_end){P11_FAILED, rv};
}

struct pk_end pk_ours(enum p11_outcome outcome)
{
    return (struct pk_end){outcome, CKR_OK};
}

static klm_rc refuse(const char *library, const char *why)
{
    klm_say(KLM_MSG_P11_LIBRARY, library, why);
    return KLM_E_INVALID;
}

/* Whoever can write the file can run code with the token at hand. */
static klm_rc check_file(const char *library)
{
    struct stat st;

    if (library[0] != '/') {
        return refuse(library, "its path is not absolute");
    }
    if (stat(library, &st) != 0) {
        return refuse(library, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return refuse(library, "it is no regular file");
    }
    if (st.st_uid != 0 && st.st_uid != geteuid()) {
        return refuse(library, "it belongs neither to root nor to the user of the task");
    }
    if (st.st_mode & (S_IWGRP | S_IWOTH)) {
        return refuse(library, "others may write it");
    }
    return KLM_OK;
}

/* ISO C does not turn what dlsym gives into a function; POSIX does. */
static klm_rc functions(const char *library, struct pk_module *module)
{
    ck_rv_t (*get)(struct ck_function_list * *list) = NULL;
    void *symbol = dlsym(module->dl, "C_GetFunctionList");

    memcpy(&get, &symbol, sizeof get);
    if (!get || get(&module->f) != CKR_OK || !module->f) {
        return refuse(library, "it is no PKCS#11 library");
    }
    if (module->f->version.major != 2) {
        return refuse(library, "it does not speak version 2 of PKCS#11");
    }
    return KLM_OK;
}

/* 5.4, C_Initialize: with the locks of the operating system, or, where the library has none, for one thread at a time. */
static klm_rc initialise(const char *library, struct pk_module *module)
{
    struct ck_c_initialize_args args = {.flags = CKF_OS_LOCKING_OK};
    ck_rv_t rv = module->f->C_Initialize(&args);

    module->threads = rv == CKR_OK;
    if (rv == CKR_CANT_LOCK || rv == CKR_NEED_TO_CREATE_THREADS || rv == CKR_ARGUMENTS_BAD) {
        rv = module->f->C_Initialize(NULL);
    }
    return rv == CKR_OK ? KLM_OK : refuse(library, "its C_Initialize failed");
}

klm_rc pk_module_open(const char *library, struct pk_module *out)
{
    struct pk_module module = {0};
    klm_rc rc;

    KLM_TRY(check_file(library));
    module.dl = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!module.dl) {
        return refuse(library, dlerror());
    }
    rc = functions(library, &module);
    if (rc == KLM_OK) {
        rc = initialise(library, &module);
    }
    if (rc != KLM_OK) {
        (void)dlclose(module.dl); /* the process ends anyway */
        return rc;
    }
    *out = module;
    return KLM_OK;
}

void pk_module_close(struct pk_module *module)
{
    (void)module->f->C_Finalize(NULL); /* the process ends, and the library's state with it */
}
