/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "net/dps-endpoint.h"
#include "common/dps-error.h"
#include "common/dps-name.h"

#include <gio/gio.h>
#include <string.h>

#define SERVICE_FORM "<name>.azure-devices-provisioning.net"

static const struct
{
  DpsCloud cloud;
  const char *name;
  const char *service; /* suffix of service endpoints */
  const char *hub;     /* suffix of hubs */
  const char *hub_v5;  /* suffix of hubs with connectionProfile mqttV5: protocol §1.1 */
} clouds[] = {
  { DPS_CLOUD_PUBLIC,
    "public",
    ".azure-devices-provisioning.net",
    ".azure-devices.net",
    ".device.azure-devices.net" },
  { DPS_CLOUD_US, "us", ".azure-devices-provisioning.us", ".azure-devices.us", NULL },
  { DPS_CLOUD_CHINA,
    "china",
    ".azure-devices-provisioning.cn",
    ".azure-devices.cn",
    NULL },
};

/* What stands before suffix, or NULL where host does not end so. The caller's. */
static char *
strip_suffix (const char *host, const char *suffix)
{
  gsize host_size = strlen (host);
  gsize suffix_size = suffix != NULL ? strlen (suffix) : 0;

  if (suffix_size == 0 || host_size <= suffix_size ||
      g_ascii_strcasecmp (host + host_size - suffix_size, suffix) != 0)
    return NULL;
  return g_strndup (host, host_size - suffix_size);
}

static gboolean
is_resource_name (const char *name)
{
  return *name != '\0' && strchr (name, '.') == NULL &&
         g_ascii_strcasecmp (name, "privatelink") != 0;
}

const char *
dps_cloud_name (DpsCloud cloud)
{
  for (gsize i = 0; i < G_N_ELEMENTS (clouds); i++)
    if (clouds[i].cloud == cloud)
      return clouds[i].name;
  return "none";
}

DpsCloud
dps_endpoint_cloud (const char *host)
{
  for (gsize i = 0; i < G_N_ELEMENTS (clouds); i++)
    {
      g_autofree char *service = strip_suffix (host, clouds[i].service);
      g_autofree char *hub = strip_suffix (host, clouds[i].hub);

      if (service != NULL || hub != NULL)
        return clouds[i].cloud;
    }
  return DPS_CLOUD_NONE;
}

/* The tenant before the suffix of any cloud's provisioning service. */
static char *
dup_tenant (const char *endpoint)
{
  for (gsize i = 0; i < G_N_ELEMENTS (clouds); i++)
    {
      char *tenant = strip_suffix (endpoint, clouds[i].service);

      if (tenant != NULL)
        return tenant;
    }
  return NULL;
}

gboolean
dps_endpoint_is_global (const char *endpoint)
{
  g_autofree char *tenant = dup_tenant (endpoint);

  return tenant != NULL && g_ascii_strcasecmp (tenant, "global") == 0;
}

static gboolean G_GNUC_PRINTF (2, 3) refuse (GError **error, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT, text);
  return FALSE;
}

/* What is no bare host name at all. Nothing of it is repeated but its kind: a whole
 * connection string may have been pasted here. */
static gboolean
check_shape (const char *endpoint, GError **error)
{
  if (*endpoint == '\0')
    return refuse (error, "the endpoint is empty; write " SERVICE_FORM);
  if (strpbrk (endpoint, "<>[]{}$ ") != NULL && strchr (endpoint, ':') == NULL)
    return refuse (error,
                   "the endpoint is a placeholder; write the service endpoint of your DPS"
                   " (az iot dps show --query properties.serviceOperationsHostName)");
  if (strstr (endpoint, "://") != NULL)
    return refuse (error,
                   "the endpoint is a URL; write the host name alone, without scheme,"
                   " port and path: " SERVICE_FORM);
  if (strpbrk (endpoint, "/?") != NULL)
    return refuse (error,
                   "the endpoint has a path; write the host name alone: " SERVICE_FORM);
  if (g_hostname_is_ip_address (endpoint) || *endpoint == '[')
    return refuse (error,
                   "the endpoint is an address, and the server's certificate is for a"
                   " name; write " SERVICE_FORM " here and, where DNS cannot be used, the"
                   " address in address= of [network]");
  if (strchr (endpoint, ':') != NULL)
    return refuse (error,
                   "the endpoint has a port; write the host name alone (the service is on"
                   " 443): " SERVICE_FORM);
  if (g_str_has_suffix (endpoint, "."))
    return refuse (error, "the endpoint ends in a dot; write it without");
  return TRUE;
}

/* contoso.privatelink.<zone> is what DNS goes through, not what the certificate names. */
static gboolean
check_privatelink (const char *endpoint, GError **error)
{
  g_autofree char *lower = g_ascii_strdown (endpoint, -1);
  const char *label = strstr (lower, "privatelink.");
  g_autofree char *public_name = NULL;

  if (label == NULL || (label != lower && label[-1] != '.'))
    return TRUE;
  if (label == lower)
    return refuse (error,
                   "the endpoint is a private DNS zone, not a host; write the public name"
                   " of the DPS, " SERVICE_FORM ", which DNS leads to the private"
                   " endpoint");
  public_name = g_strdup_printf ("%.*s%s",
                                 (int) (label - lower),
                                 lower,
                                 label + strlen ("privatelink."));
  return refuse (error,
                 "the endpoint is a privatelink name, for which no server certificate"
                 " exists; write the public name %s, which DNS leads to the private"
                 " endpoint",
                 public_name);
}

static gboolean
check_is_no_hub (const char *endpoint, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (clouds); i++)
    {
      g_autofree char *hub = strip_suffix (endpoint, clouds[i].hub);

      if (hub != NULL)
        return refuse (error,
                       "the endpoint names an IoT Hub, which the provisioning service"
                       " assigns; write the service endpoint of the DPS, <name>%s",
                       clouds[i].service);
    }
  return TRUE;
}

static gboolean
check_global (const char *endpoint, gboolean allow_global, GError **error)
{
  const char *suffix = strchr (endpoint, '.');

  if (allow_global || !dps_endpoint_is_global (endpoint))
    return TRUE;
  return refuse (error,
                 "the endpoint is the global device endpoint, which may move data out of"
                 " the region and does not use the private endpoint of your DPS; write "
                 "its"
                 " service endpoint <name>%s, or set allow-global-endpoint=yes in"
                 " [network] where data residency does not matter",
                 suffix);
}

gboolean
dps_endpoint_check (const char *endpoint, gboolean allow_global, GError **error)
{
  g_autofree char *tenant = NULL;

  if (!check_shape (endpoint, error))
    return FALSE;
  if (!dps_name_check_host (endpoint, error))
    {
      g_prefix_error (error, "the endpoint is no host name: ");
      return FALSE;
    }
  if (!check_privatelink (endpoint, error) || !check_is_no_hub (endpoint, error) ||
      !check_global (endpoint, allow_global, error))
    return FALSE;
  tenant = dup_tenant (endpoint);
  if (tenant == NULL || !is_resource_name (tenant))
    return refuse (error,
                   "the endpoint is no name of the provisioning service; write the "
                   "service"
                   " endpoint of your DPS, " SERVICE_FORM " (.us in US Government, .cn in"
                   " China)");
  return TRUE;
}

static gboolean
is_hub (const char *host)
{
  if (!dps_name_check_host (host, NULL))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (clouds); i++)
    {
      g_autofree char *classic = strip_suffix (host, clouds[i].hub);
      g_autofree char *v5 = strip_suffix (host, clouds[i].hub_v5);

      if ((classic != NULL && is_resource_name (classic)) ||
          (v5 != NULL && is_resource_name (v5)))
        return TRUE;
    }
  return FALSE;
}

gboolean
dps_endpoint_check_hub (const char *hub_host,
                        DpsCloud endpoint_cloud,
                        char **warning,
                        GError **error)
{
  DpsCloud hub_cloud = dps_endpoint_cloud (hub_host);

  if (warning != NULL)
    *warning = NULL;
  if (!is_hub (hub_host))
    {
      g_autofree char *safe = g_strescape (hub_host, NULL);

      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_REJECTED,
                   "the assigned hub '%.128s' is no name of an IoT Hub"
                   " (<hub>.azure-devices.net, .us or .cn); no credential is sent there",
                   safe);
      return FALSE;
    }
  if (warning != NULL && hub_cloud != endpoint_cloud)
    *warning = g_strdup_printf ("the assigned hub %s is of the cloud '%s', the"
                                " provisioning service of the cloud '%s'; both should be"
                                " in one cloud",
                                hub_host,
                                dps_cloud_name (hub_cloud),
                                dps_cloud_name (endpoint_cloud));
  return TRUE;
}
