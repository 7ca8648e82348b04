/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-confinement.h"

#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

static void
test_words (void)
{
  static const char *const names[] = { "symmetric-key", "x509", NULL };
  static const struct
  {
    DpsPluginConfinement chosen, others;
    const char *name;
    const char *printed;
  } rows[] = {
    { { TRUE, 7, FALSE },
      { TRUE, 7, FALSE },
      "symmetric-key",
      "{'symmetric-key': ['seccomp', 'landlock-7'], 'x509': ['seccomp', 'landlock-7']}" },
    { { TRUE, 2, TRUE },
      { TRUE, 2, FALSE },
      "x509",
      "{'symmetric-key': ['seccomp', 'landlock-2'], "
      "'x509': ['seccomp', 'landlock-2', 'unix-sockets']}" },
    { { TRUE, 0, TRUE },
      { TRUE, 0, FALSE },
      "x509",
      "{'symmetric-key': ['seccomp', 'no-landlock'], "
      "'x509': ['seccomp', 'no-landlock', 'unix-sockets']}" },
    /* What a child did not confirm is not claimed. */
    { { FALSE, 0, FALSE },
      { TRUE, 1, FALSE },
      "symmetric-key",
      "{'symmetric-key': ['no-landlock'], 'x509': ['seccomp', 'landlock-1']}" },
    { { TRUE, 0, TRUE },
      { TRUE, 3, FALSE },
      "absent",
      "{'symmetric-key': ['seccomp', 'landlock-3'], 'x509': ['seccomp', 'landlock-3']}" },
    { { TRUE, 0, TRUE },
      { TRUE, 3, FALSE },
      NULL,
      "{'symmetric-key': ['seccomp', 'landlock-3'], 'x509': ['seccomp', 'landlock-3']}" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GVariant) value =
          g_variant_ref_sink (dps_plugin_confinement_describe (names,
                                                               rows[i].name,
                                                               &rows[i].chosen,
                                                               &rows[i].others));
      g_autofree char *printed = g_variant_print (value, FALSE);

      g_assert_cmpstr (printed, ==, rows[i].printed);
    }
}

static void
test_exception (void)
{
  static const struct
  {
    const char *attestation, *key;
    gboolean granted;
  } rows[] = {
    { "x509", "pkcs11:token=gateway;object=device", TRUE },
    { "x509", "/etc/dps-agent/device.pem", FALSE },
    { "x509", "handle:0x81000002", FALSE },
    { "x509", " pkcs11:token=gateway", FALSE },
    { "x509", NULL, FALSE },
    { "tpm", "pkcs11:token=gateway", FALSE },
    { "symmetric-key", "pkcs11:token=gateway", FALSE },
    { NULL, "pkcs11:token=gateway", FALSE },
    { NULL, NULL, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpint (dps_plugin_confinement_grants_unix (rows[i].attestation,
                                                         rows[i].key),
                     ==,
                     rows[i].granted);
}

/* Asked of the kernel here as well, so that a library that forgets to is not excused. */
static void
test_expected (void)
{
  long abi =
      syscall (SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  DpsPluginConfinement found = dps_plugin_confinement_expect (TRUE);

  g_assert_true (found.seccomp);
  g_assert_true (found.unix_sockets);
  g_assert_cmpint (found.landlock, ==, CLAMP (abi, 0, 7));
  g_assert_false (dps_plugin_confinement_expect (FALSE).unix_sockets);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plugin-confinement/in-words", test_words);
  g_test_add_func ("/plugin-confinement/exception-for-token-daemons", test_exception);
  g_test_add_func ("/plugin-confinement/expected-as-the-kernel-has-it", test_expected);
  return g_test_run ();
}
