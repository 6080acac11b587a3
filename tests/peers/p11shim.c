/* A PKCS#11 library in front of another one, for tests: its slots have other numbers in each process, its token has flags that a file says, and each login leaves a
 * byte in a file.
 *   KLM_SHIM_LIBRARY the library behind it   KLM_SHIM_FLAGS file of flags in hex (none: as they are)   KLM_SHIM_LOGINS file that grows */
#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static CK_FUNCTION_LIST *real, ours;

static CK_SLOT_ID shift(void)
{
    return (CK_SLOT_ID)getpid() * 7 + 1;
}

static CK_RV slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *n)
{
    CK_RV rv = real->C_GetSlotList(present, slots, n);

    for (CK_ULONG i = 0; rv == CKR_OK && slots && i < *n; i++) {
        slots[i] += shift();
    }
    return rv;
}

static CK_RV slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *out)
{
    return real->C_GetSlotInfo(slot - shift(), out);
}

static CK_RV token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *out)
{
    const char *path = getenv("KLM_SHIM_FLAGS");
    FILE *file = path ? fopen(path, "r") : NULL;
    unsigned long flags = 0;
    CK_RV rv = real->C_GetTokenInfo(slot - shift(), out);

    if (file && rv == CKR_OK && fscanf(file, "%lx", &flags) == 1) {
        out->flags |= flags;
    }
    if (file) {
        fclose(file);
    }
    return rv;
}

static CK_RV mechanisms(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *n)
{
    return real->C_GetMechanismList(slot - shift(), list, n);
}

static CK_RV mechanism(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *out)
{
    return real->C_GetMechanismInfo(slot - shift(), type, out);
}

static CK_RV session(CK_SLOT_ID slot, CK_FLAGS flags, void *arg, CK_NOTIFY notify,
                     CK_SESSION_HANDLE *out)
{
    return real->C_OpenSession(slot - shift(), flags, arg, notify, out);
}

static CK_RV login(CK_SESSION_HANDLE on, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG n)
{
    const char *path = getenv("KLM_SHIM_LOGINS");
    int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (fd >= 0) {
        if (write(fd, "L", 1) != 1) {
            abort(); /* a list with a hole would prove nothing */
        }
        close(fd);
    }
    return real->C_Login(on, user, pin, n);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
    const char *path = getenv("KLM_SHIM_LIBRARY");
    void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    union {
        void *p;
        CK_RV (*f)(CK_FUNCTION_LIST **out);
    } get = {library ? dlsym(library, "C_GetFunctionList") : NULL};

    if (!get.p || get.f(&real) != CKR_OK) {
        return CKR_GENERAL_ERROR;
    }
    ours = *real;
    ours.C_GetFunctionList = C_GetFunctionList;
    ours.C_GetSlotList = slot_list;
    ours.C_GetSlotInfo = slot_info;
    ours.C_GetTokenInfo = token_info;
    ours.C_GetMechanismList = mechanisms;
    ours.C_GetMechanismInfo = mechanism;
    ours.C_OpenSession = session;
    ours.C_Login = login;
    *out = &ours;
    return CKR_OK;
}
