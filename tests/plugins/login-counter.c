/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* SoftHSM2, that says of each C_Login to whoever listens at COUNTER that it is called.
 * SoftHSM2 counts none itself where it may not write, and never locks. */

static CK_FUNCTION_LIST list;
static CK_C_Login log_in;

static CK_RV
count_login (CK_SESSION_HANDLE session,
             CK_USER_TYPE type,
             CK_UTF8CHAR *pin,
             CK_ULONG size)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = COUNTER };
  int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  sendto (fd, "1", 1, 0, (struct sockaddr *) &address, sizeof address);
  close (fd);
  return log_in (session, type, pin, size);
}

__attribute__ ((visibility ("default"))) CK_RV
C_GetFunctionList (CK_FUNCTION_LIST **out)
{
  void *module = dlopen (TOKEN_MODULE, RTLD_NOW | RTLD_LOCAL);
  CK_C_GetFunctionList get =
      module ? (CK_C_GetFunctionList) dlsym (module, "C_GetFunctionList") : NULL;
  CK_FUNCTION_LIST *real;

  if (get == NULL || get (&real) != CKR_OK)
    return CKR_GENERAL_ERROR;
  list = *real;
  log_in = list.C_Login;
  list.C_Login = count_login;
  *out = &list;
  return CKR_OK;
}
