/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "net/dps-endpoint.h"

#include <gio/gio.h>
#include <string.h>

#define SUFFIX ".azure-devices-provisioning."

static void
test_accepts (void)
{
  static const struct
  {
    const char *endpoint;
    DpsCloud cloud;
  } rows[] = {
    { "contoso-dps" SUFFIX "net", DPS_CLOUD_PUBLIC },
    { "c1" SUFFIX "us", DPS_CLOUD_US },
    { "contoso" SUFFIX "cn", DPS_CLOUD_CHINA },
    { "Contoso.Azure-Devices-Provisioning.NET", DPS_CLOUD_PUBLIC },
    { "globalcorp" SUFFIX "net", DPS_CLOUD_PUBLIC },
    { "my-privatelink" SUFFIX "net", DPS_CLOUD_PUBLIC },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_true (dps_endpoint_check (rows[i].endpoint, FALSE, &error));
      g_assert_no_error (error);
      g_assert_cmpint (dps_endpoint_cloud (rows[i].endpoint), ==, rows[i].cloud);
      g_assert_false (dps_endpoint_is_global (rows[i].endpoint));
    }
}

static void
test_refuses (void)
{
  static const struct
  {
    const char *endpoint;
    const char *says;
  } rows[] = {
    { "", "is empty" },
    { "<tenant>" SUFFIX "net", "placeholder" },
    { "[ID Scope]", "placeholder" },
    { "${DPS}" SUFFIX "net", "placeholder" },
    { "https://contoso" SUFFIX "net", "is a URL" },
    { "https://contoso" SUFFIX "net:443/0ne", "is a URL" },
    { "contoso" SUFFIX "net/", "has a path" },
    { "contoso" SUFFIX "net?x=1", "has a path" },
    { "contoso" SUFFIX "net:443", "has a port" },
    { "contoso" SUFFIX "net.", "ends in a dot" },
    { "10.1.2.3", "address= of [network]" },
    { "fd00::1", "address= of [network]" },
    { "[fd00::1]", "address= of [network]" },
    { "[fd00::1]:443", "address= of [network]" },
    { "contoso.privatelink" SUFFIX "net", "public name contoso" SUFFIX "net," },
    { "Contoso.PrivateLink" SUFFIX "cn", "public name contoso" SUFFIX "cn," },
    { "hub1.privatelink.azure-devices.net", "privatelink name" },
    { "privatelink" SUFFIX "net", "private DNS zone" },
    { "hub1.azure-devices.net", "names an IoT Hub" },
    { "hub1.device.azure-devices.net", "names an IoT Hub" },
    { "hub1.azure-devices.cn", "<name>" SUFFIX "cn" },
    { "global" SUFFIX "net", "out of the region" },
    { "global" SUFFIX "us", "<name>" SUFFIX "us" },
    { "GLOBAL" SUFFIX "cn", "allow-global-endpoint=yes" },
    { "a.b" SUFFIX "net", "no name of the provisioning service" },
    { "azure-devices-provisioning.net", "no name of the provisioning service" },
    { "contoso" SUFFIX "com", "no name of the provisioning service" },
    { "contoso" SUFFIX "net.example.org", "no name of the provisioning service" },
    { "contosoazure-devices-provisioning.net", "no name of the provisioning service" },
    { "contoso_x" SUFFIX "net", "no host name" },
    { "-contoso" SUFFIX "net", "no host name" },
    { "contoso", "no host name" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", rows[i].endpoint);
      g_assert_false (dps_endpoint_check (rows[i].endpoint, FALSE, &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
      if (strstr (error->message, rows[i].says) == NULL)
        g_error ("%s: %s", rows[i].endpoint, error->message);
    }
}

static void
test_global_only_where_allowed (void)
{
  static const char *const suffixes[] = { "net", "us", "cn" };

  for (gsize i = 0; i < G_N_ELEMENTS (suffixes); i++)
    {
      g_autofree char *host = g_strconcat ("global" SUFFIX, suffixes[i], NULL);
      g_autoptr (GError) error = NULL;

      g_assert_true (dps_endpoint_is_global (host));
      g_assert_true (dps_endpoint_check (host, TRUE, &error));
      g_assert_no_error (error);
      g_assert_false (dps_endpoint_check (host, FALSE, NULL));
    }
  /* It opens that one door and no other. */
  g_assert_false (dps_endpoint_check ("a.privatelink" SUFFIX "net", TRUE, NULL));
  g_assert_false (dps_endpoint_check ("example.org", TRUE, NULL));
}

static void
test_hub (void)
{
  static const struct
  {
    const char *hub;
    DpsCloud endpoint_cloud;
    gboolean accepted;
    gboolean warned;
  } rows[] = {
    { "hub1.azure-devices.net", DPS_CLOUD_PUBLIC, TRUE, FALSE },
    { "Hub1.Azure-Devices.Net", DPS_CLOUD_PUBLIC, TRUE, FALSE },
    { "hub1.device.azure-devices.net", DPS_CLOUD_PUBLIC, TRUE, FALSE },
    { "hub1.azure-devices.us", DPS_CLOUD_US, TRUE, FALSE },
    { "hub1.azure-devices.cn", DPS_CLOUD_CHINA, TRUE, FALSE },
    { "hub1.azure-devices.us", DPS_CLOUD_PUBLIC, TRUE, TRUE },
    { "hub1.azure-devices.net", DPS_CLOUD_CHINA, TRUE, TRUE },
    { "hub1.device.azure-devices.us", DPS_CLOUD_US, FALSE, FALSE },
    { "hub1.privatelink.azure-devices.net", DPS_CLOUD_PUBLIC, FALSE, FALSE },
    { "privatelink.azure-devices.net", DPS_CLOUD_PUBLIC, FALSE, FALSE },
    { "a.b.azure-devices.net", DPS_CLOUD_PUBLIC, FALSE, FALSE },
    { "hub1.azure-devices.net.example.org", DPS_CLOUD_PUBLIC, FALSE, FALSE },
    { "hub1azure-devices.net", DPS_CLOUD_PUBLIC, FALSE, FALSE },
    { "contoso" SUFFIX "net", DPS_CLOUD_PUBLIC, FALSE, FALSE },
    { "hub.example.org", DPS_CLOUD_PUBLIC, FALSE, FALSE },
    { "hub1.azure-devices.net:443", DPS_CLOUD_PUBLIC, FALSE, FALSE },
    { "hub1.azure-devices.net/x", DPS_CLOUD_PUBLIC, FALSE, FALSE },
    { "e@hub1.azure-devices.net", DPS_CLOUD_PUBLIC, FALSE, FALSE },
    { "10.0.0.1", DPS_CLOUD_PUBLIC, FALSE, FALSE },
    { "", DPS_CLOUD_PUBLIC, FALSE, FALSE },
    { "hub\n1.azure-devices.net", DPS_CLOUD_PUBLIC, FALSE, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *warning = NULL;
      g_autoptr (GError) error = NULL;
      gboolean accepted =
          dps_endpoint_check_hub (rows[i].hub, rows[i].endpoint_cloud, &warning, &error);

      g_test_message ("%s", rows[i].hub);
      g_assert_cmpint (accepted, ==, rows[i].accepted);
      if (!accepted)
        {
          g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
          g_assert_null (strchr (error->message, '\n'));
        }
      g_assert_cmpint (warning != NULL, ==, rows[i].warned);
    }
}

static void
test_cloud_of_foreign_names (void)
{
  g_assert_cmpint (dps_endpoint_cloud ("example.org"), ==, DPS_CLOUD_NONE);
  g_assert_cmpint (dps_endpoint_cloud (""), ==, DPS_CLOUD_NONE);
  g_assert_cmpint (dps_endpoint_cloud ("azure-devices.net"), ==, DPS_CLOUD_NONE);
  g_assert_cmpstr (dps_cloud_name (DPS_CLOUD_CHINA), ==, "china");
  g_assert_cmpstr (dps_cloud_name (DPS_CLOUD_NONE), ==, "none");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/endpoint/accepts-service-endpoints", test_accepts);
  g_test_add_func ("/endpoint/says-what-to-write-instead", test_refuses);
  g_test_add_func ("/endpoint/global-only-where-allowed", test_global_only_where_allowed);
  g_test_add_func ("/endpoint/judges-hubs", test_hub);
  g_test_add_func ("/endpoint/cloud-of-foreign-names", test_cloud_of_foreign_names);
  return g_test_run ();
}
