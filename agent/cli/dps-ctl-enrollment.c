/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-connection.h"
#include "cli/dps-ctl-failure.h"
#include "cli/dps-ctl-output.h"

#include <stdio.h>
#include <string.h>

/* The agent waits for an attempt, and a slow TPM may have to make three keys. */
#define TIMEOUT_MS (5 * 60 * 1000)

#define DPS_DOMAIN ".azure-devices-provisioning."

/* The agent's answer. */
typedef struct
{
  GVariant *members;  /* a{sv} */
  GVariant *material; /* a{ss} of it, or NULL */
} Enrollment;

static void
enrollment_clear (Enrollment *self)
{
  g_clear_pointer (&self->members, g_variant_unref);
  g_clear_pointer (&self->material, g_variant_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Enrollment, enrollment_clear)

static const char *
text_of (const Enrollment *self, const char *member)
{
  const char *text = "";

  g_variant_lookup (self->members, member, "&s", &text);
  return text;
}

static const char *
material_of (const Enrollment *self, const char *name)
{
  const char *value = "";

  if (self->material != NULL)
    g_variant_lookup (self->material, name, "&s", &value);
  return value;
}

static gboolean
is_kind (const Enrollment *self, const char *kind)
{
  return g_str_equal (text_of (self, "kind"), kind);
}

static gboolean
is_of_group (const Enrollment *self)
{
  gboolean group = FALSE;

  g_variant_lookup (self->members, "group", "b", &group);
  return group;
}

/* The service's name is the first label of its endpoint; of the one for all services, and
 * of a name that is no endpoint, nothing follows. */
static char *
guess_dps_name (const char *endpoint)
{
  gsize label = strcspn (endpoint, ".");

  if (label == 0 || !g_str_has_prefix (endpoint + label, DPS_DOMAIN) ||
      g_str_has_prefix (endpoint, "global."))
    return g_strdup ("DPS_NAME");
  return g_strndup (endpoint, label);
}

static void
add_option (GString *line, const char *option, const char *value)
{
  static const char plain[] = G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_.:/+=@";
  g_autofree char *quoted = g_shell_quote (value);
  gboolean is_plain = *value != '\0' && value[strspn (value, plain)] == '\0';

  g_string_append_printf (line, " %s %s", option, is_plain ? value : quoted);
}

/* The Azure CLI's line that enrols this host, of its extension azure-iot; NULL where
 * there is nothing to enrol. Capitals are for the operator to fill in. */
static char *
make_command (const Enrollment *self)
{
  static const struct
  {
    const char *kind;
    const char *type;
    const char *option; /* or NULL */
    const char *value;  /* NULL = the endorsement key */
  } rows[] = {
    { "tpm", "tpm", "--endorsement-key", NULL },
    { "symmetric-key", "symmetricKey", NULL, NULL },
    { "x509", "x509", "--certificate-path", "CERTIFICATE.pem" },
  };
  g_autofree char *name = guess_dps_name (text_of (self, "endpoint"));
  const char *id = text_of (self, "registration-id");

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    if (is_kind (self, rows[i].kind) && *id != '\0' && !is_of_group (self))
      {
        const char *value =
            rows[i].value != NULL ? rows[i].value : material_of (self, "endorsement-key");
        GString *line = g_string_new ("az iot dps enrollment create");

        add_option (line, "--dps-name", name);
        add_option (line, "--resource-group", "RESOURCE_GROUP");
        add_option (line, "--enrollment-id", id);
        add_option (line, "--attestation-type", rows[i].type);
        if (rows[i].option != NULL)
          add_option (line, rows[i].option, value);
        return g_string_free (line, FALSE);
      }
  return NULL;
}

static void
print_row (const char *label, const char *value)
{
  g_autofree char *shown = dps_ctl_escape (value);

  if (*value != '\0')
    printf ("%-25s %s\n", label, shown);
}

/* Lines stay lines. */
static void
print_text (const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (gsize i = 0; lines[i] != NULL; i++)
    {
      g_autofree char *shown = dps_ctl_escape (lines[i]);

      puts (shown);
    }
}

/* A certificate may be enrolled by its issuer too, and then of the chain only the leaf is
 * named. */
static void
print_x509_advice (void)
{
  puts ("CERTIFICATE.pem has the device's own certificate, the first of"
        " .material.certificate in --json. Or enrol an authority that has issued it, for"
        " all devices of a group:\n"
        "az iot dps enrollment-group create --enrollment-id GROUP --certificate-path"
        " AUTHORITY.pem --dps-name DPS_NAME --resource-group RESOURCE_GROUP");
}

static void
print_advice (const Enrollment *self, const char *command)
{
  if (is_of_group (self))
    puts ("\nThis device belongs to an enrolment group: the group's enrolment is all it"
          " needs.");
  else if (command != NULL)
    {
      g_autofree char *shown = dps_ctl_escape (command);

      printf ("\nTo enrol it, with the Azure CLI inside the network:\n%s\n", shown);
      if (is_kind (self, "symmetric-key"))
        puts ("The service makes the keys; --primary-key names one that this host has"
              " already.");
      if (is_kind (self, "x509"))
        print_x509_advice ();
    }
}

/* Whose text says what the rows say. */
static gboolean
has_rows (const Enrollment *self)
{
  return is_kind (self, "tpm") || *material_of (self, "thumbprint") != '\0';
}

static void
print_other_id (const Enrollment *self)
{
  const char *derived = text_of (self, "derived-registration-id");

  if (!is_kind (self, "x509") || *derived == '\0' ||
      g_ascii_strcasecmp (derived, text_of (self, "registration-id")) == 0)
    return;
  print_row ("The certificate's id:", derived);
  puts (
      "The service takes a certificate for its own id alone: remove registration-id=, or"
      " use the certificate that was made for this host.");
}

static void
print_lines (const Enrollment *self, const char *command)
{
  print_row ("Attestation:", text_of (self, "attestation"));
  print_row ("Registration id:", text_of (self, "registration-id"));
  print_row ("Endorsement key:", material_of (self, "endorsement-key"));
  print_row ("Storage root key's name:", material_of (self, "storage-root-key-name"));
  print_row ("Id by other template:", material_of (self, "other-registration-id"));
  print_row ("Subject:", material_of (self, "subject"));
  print_row ("Issuer:", material_of (self, "issuer"));
  print_row ("Thumbprint, SHA-256:", material_of (self, "thumbprint"));
  print_row ("Thumbprint, SHA-1:", material_of (self, "thumbprint-sha1"));
  print_row ("Valid:", material_of (self, "validity"));
  print_other_id (self);
  if (!has_rows (self) && *text_of (self, "text") != '\0')
    print_text (text_of (self, "text"));
  print_advice (self, command);
}

static void
add_material (JsonBuilder *builder, const Enrollment *self)
{
  const char *name, *value;
  GVariantIter iter;

  json_builder_set_member_name (builder, "material");
  json_builder_begin_object (builder);
  if (self->material != NULL)
    {
      g_variant_iter_init (&iter, self->material);
      while (g_variant_iter_next (&iter, "{&s&s}", &name, &value))
        dps_ctl_json_add_string (builder, name, value);
    }
  json_builder_end_object (builder);
}

static void
print_json (const Enrollment *self, const char *command)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  dps_ctl_json_add_string (builder, "attestation", text_of (self, "attestation"));
  dps_ctl_json_add_string (builder, "kind", text_of (self, "kind"));
  dps_ctl_json_add_string (builder, "registrationId", text_of (self, "registration-id"));
  dps_ctl_json_add_string (builder,
                           "derivedRegistrationId",
                           text_of (self, "derived-registration-id"));
  dps_ctl_json_add_string (builder, "endpoint", text_of (self, "endpoint"));
  json_builder_set_member_name (builder, "group");
  json_builder_add_boolean_value (builder, is_of_group (self));
  add_material (builder, self);
  dps_ctl_json_add_string (builder, "text", text_of (self, "text"));
  dps_ctl_json_add_string (builder, "command", command != NULL ? command : "");
  json_builder_end_object (builder);
  dps_ctl_print_json (builder);
}

static DpsCtlExit
run (const DpsCtl *ctl, char **arguments)
{
  g_autoptr (GError) error = NULL;
  g_auto (Enrollment) enrollment = { NULL, NULL };
  g_autoptr (DpsDBusAgent1Control) control = dps_ctl_connect_control (ctl, &error);
  g_autofree char *command = NULL;

  if (control == NULL ||
      !dps_dbus_agent1_control_call_get_enrollment_sync (control,
                                                         g_variant_new ("a{sv}", NULL),
                                                         dps_ctl_call_flags (),
                                                         TIMEOUT_MS,
                                                         &enrollment.members,
                                                         NULL,
                                                         &error))
    return dps_ctl_fail (ctl, error);
  enrollment.material =
      g_variant_lookup_value (enrollment.members, "material", G_VARIANT_TYPE ("a{ss}"));
  command = make_command (&enrollment);
  if (ctl->json)
    print_json (&enrollment, command);
  else
    print_lines (&enrollment, command);
  return DPS_CTL_EXIT_OK;
}

const DpsCtlVerb dps_ctl_enrollment = {
  .name = "enrollment",
  .arguments = "",
  .summary = "Show what an operator needs to enrol this host",
  .details =
      "The registration id, for a TPM the endorsement key and the Name of its storage\n"
      "root key, for a certificate its names and thumbprints, and the Azure CLI's line "
      "that makes the enrolment; capitals in it are\n"
      "yours to fill in. Works before the host is provisioned and without a network,\n"
      "registers nothing, and shows no secret.\n\n"
      "Example:\n"
      "  dpsctl enrollment --json | jq -r .registrationId",
  .run = run,
};
