/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "mutations.h"

#include <string.h>

/* A text and what it does where it is put. */
typedef struct
{
  const char *text;
  Effect effect;
} Row;

static GPtrArray *
some_members (Answer *answer, Random *random)
{
  return answer->state != NULL && random_once_in (random, 2) ? answer->state
                                                             : answer->root;
}

/* Where hub and device are. */
static GPtrArray *
identity_members (Answer *answer)
{
  return answer->state != NULL ? answer->state : answer->root;
}

static void
add_unknown (Answer *answer, Random *random, const char *value)
{
  GPtrArray *members = some_members (answer, random);
  g_autofree char *name = g_strdup_printf ("unknown-%zu", answer->story->len);

  answer_add (members, random_below (random, members->len + 1), name, value);
}

static void
drop_member (Answer *answer, Random *random)
{
  static const char *const spare[] = { "createdDateTimeUtc",
                                       "lastUpdatedDateTimeUtc",
                                       "etag",
                                       "substatus",
                                       "symmetricKey",
                                       "x509",
                                       "timestampUtc",
                                       NULL };
  GPtrArray *members = some_members (answer, random);
  gsize at = random_below (random, members->len);
  const char *name = ((Member *) members->pdata[at])->name;
  Effect effect = UNSURE;

  if (g_strv_contains (spare, name))
    effect = KEEPS;
  else if (strcmp (name, "assignedHub") == 0 || strcmp (name, "deviceId") == 0)
    effect = BREAKS;
  g_ptr_array_remove_index (members, (guint) at);
  answer_note (answer, "a member dropped", effect);
}

static void
drop_state (Answer *answer, Random *random)
{
  if (answer->state == NULL)
    return;
  g_clear_pointer (&answer->state, g_ptr_array_unref);
  answer_note (answer,
               "registrationState dropped",
               answer_is_assigned (answer) ? BREAKS : UNSURE);
}

static void
double_member (Answer *answer, Random *random)
{
  GPtrArray *members = some_members (answer, random);
  const Member *member = members->pdata[random_below (random, members->len)];
  g_autofree char *name = g_strdup (member->name);
  g_autofree char *value = g_strdup (member->value);

  answer_add (members,
              random_below (random, members->len + 1),
              name,
              random_once_in (random, 2) ? value : "\"other\"");
  answer_note (answer, "a member doubled", BREAKS);
}

static void
reorder (Answer *answer, Random *random)
{
  GPtrArray *members = some_members (answer, random);

  for (guint i = members->len - 1; i > 0; i--)
    {
      gsize j = random_below (random, i + 1);
      gpointer other = members->pdata[j];

      members->pdata[j] = members->pdata[i];
      members->pdata[i] = other;
    }
  answer_note (answer, "members in another order", KEEPS);
}

static void
change_type (Answer *answer, Random *random)
{
  static const char *const values[] = { "1",  "true", "null",  "[]",      "{}",
                                        "-2", "\"\"", "1.5e3", "[\"x\"]", "{\"a\":1}" };
  GPtrArray *members = some_members (answer, random);
  Member *member = members->pdata[random_below (random, members->len)];
  gboolean needed =
      strcmp (member->name, "assignedHub") == 0 || strcmp (member->name, "deviceId") == 0;

  g_free (member->value);
  member->value = g_strdup (random_pick (random, values));
  answer_note (answer, "a member of another type", needed ? BREAKS : UNSURE);
}

static void
change_state_type (Answer *answer, Random *random)
{
  static const char *const values[] = { "1", "true", "null", "[]", "\"\"", "[{}]" };

  if (answer->state == NULL)
    return;
  g_clear_pointer (&answer->state, g_ptr_array_unref);
  answer_add (answer->root,
              answer->root->len,
              "registrationState",
              random_pick (random, values));
  answer_note (answer,
               "registrationState of another type",
               answer_is_assigned (answer) ? BREAKS : UNSURE);
}

static void
nest (Answer *answer, Random *random)
{
  static const gsize depths[] = { 1, 2, 3, 4, 5, 6, 9, 10, 100, 10000 };
  gsize depth = random_pick (random, depths);
  gboolean objects = random_once_in (random, 2);
  GString *value = g_string_new (NULL);

  for (gsize i = 0; i < depth; i++)
    g_string_append (value, objects ? "{\"a\":" : "[");
  g_string_append_c (value, '0');
  for (gsize i = 0; i < depth; i++)
    g_string_append_c (value, objects ? '}' : ']');
  add_unknown (answer, random, value->str);
  g_string_free (value, TRUE);
  answer_note (answer, "nesting", depth <= 6 ? KEEPS : BREAKS);
}

static const Row numbers[] = {
  { "0", KEEPS },          { "-0", KEEPS },
  { "1.5e3", KEEPS },      { "-1E-2", KEEPS },
  { "1e308", KEEPS },      { "9223372036854775807", KEEPS },
  { "01", BREAKS },        { "1.", BREAKS },
  { ".5", BREAKS },        { "+1", BREAKS },
  { "0x1f", BREAKS },      { "1e", BREAKS },
  { "--1", BREAKS },       { "1_000", BREAKS },
  { "NaN", BREAKS },       { "Infinity", BREAKS },
  { "-Infinity", BREAKS }, { "9223372036854775808", BREAKS },
  { "1e999", BREAKS },     { "-99999999999999999999999999999", BREAKS },
};

static void
add_number (Answer *answer, Random *random)
{
  const Row *row = &random_pick (random, numbers);

  add_unknown (answer, random, row->text);
  answer_note (answer, row->text, row->effect);
}

static const Row words[] = {
  { "true", KEEPS },
  { "null", KEEPS },
  { "TRUE", BREAKS },
  { "nil", BREAKS },
  { "undefined", BREAKS },
  { "'x'", BREAKS },
  { "x", BREAKS },
  { "", BREAKS },
  { "1,", BREAKS },
  { "[1,]", BREAKS },
  { "[,1]", BREAKS },
  { "{\"a\" 1}", BREAKS },
  { "{\"a\":1,}", BREAKS },
  { "{a:1}", BREAKS },
  { "1 2", BREAKS },
  { "/* x */ 1", BREAKS },
  { "// x\n1", BREAKS },
  { "#x\n1", BREAKS },
  { "[1", BREAKS },
  { "1]", BREAKS },
  { "}", BREAKS },
  { "{\"a\":1,\"a\":1}", BREAKS },
  { "{\"a\":1,\"\\u0061\":1}", BREAKS },
};

static void
add_word (Answer *answer, Random *random)
{
  const Row *row = &random_pick (random, words);

  add_unknown (answer, random, row->text);
  answer_note (answer, row->text, row->effect);
}

/* What may and may not stand between quotes. */
static const Row insides[] = {
  { "", KEEPS },
  { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", KEEPS },
  { "\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t", KEEPS },
  { "\x7f", KEEPS },
  { "\n", BREAKS },
  { "\r\nX-A: b", BREAKS },
  { "\t", BREAKS },
  { "\x01", BREAKS },
  { "\x1b[2J", BREAKS },
  { "\\u0000", BREAKS },
  { "\\ud83d", BREAKS },
  { "\\ude00", BREAKS },
  { "\\ude00\\ud83d", BREAKS },
  { "\\ud83d\\u0041", BREAKS },
  { "\\x41", BREAKS },
  { "\\u12", BREAKS },
  { "\\u12G4", BREAKS },
  { "\\q", BREAKS },
  { "\xff", BREAKS },
  { "\xc0\xaf", BREAKS },
  { "\xed\xa0\x80", BREAKS },
  { "\xf4\x90\x80\x80", BREAKS },
  { "\xe2\x82", BREAKS },
  { "\xe9", BREAKS },
};

static void
add_string (Answer *answer, Random *random)
{
  const Row *row = &random_pick (random, insides);
  g_autofree char *value = g_strdup_printf ("\"a%sb\"", row->text);

  add_unknown (answer, random, value);
  answer_note (answer, "a special string", row->effect);
}

static void
add_long_string (Answer *answer, Random *random)
{
  gsize size = random_below (random, 20000);
  g_autofree char *filler = g_strnfill (size, 'l');
  g_autofree char *value = g_strdup_printf ("\"%s\"", filler);

  add_unknown (answer, random, value);
  answer_note (answer, "a long string", KEEPS);
}

/* Hub names; N is this case's own, so that KEEPS can be told. */
static const Row hubs[] = {
  { "HUB-N.Azure-Devices.NET", KEEPS },
  { "hub-N.azure-devices.us", KEEPS },
  { "hub-N.azure-devices.cn", KEEPS },
  { "hub-N.device.azure-devices.net", KEEPS },
  { "xn--hub-N.azure-devices.net", KEEPS },
  { "hub-N.example.com", BREAKS },
  { "hub-N.azure-devices.net.example.com", BREAKS },
  { "hub-N.azure-devices-provisioning.net", BREAKS },
  { "hub-Nazure-devices.net", BREAKS },
  { "evil.hub-N.azure-devices.net", BREAKS },
  { "privatelink.azure-devices.net", BREAKS },
  { "azure-devices.net", BREAKS },
  { ".azure-devices.net", BREAKS },
  { "hub-N.azure-devices.net.", BREAKS },
  { "hub-N..azure-devices.net", BREAKS },
  { "hub-N.azure-devices.net:443", BREAKS },
  { "hub-N.azure-devices.net/", BREAKS },
  { "hub-N.azure-devices.net/devices", BREAKS },
  { "hub-N.azure-devices.net?x=1", BREAKS },
  { "hub-N.azure-devices.net#x", BREAKS },
  { "https://hub-N.azure-devices.net", BREAKS },
  { "user@hub-N.azure-devices.net", BREAKS },
  { "user:pw@hub-N.azure-devices.net", BREAKS },
  { "example.com@hub-N.azure-devices.net", BREAKS },
  { "example.com/hub-N.azure-devices.net", BREAKS },
  { "h\xc3\xbcll-N.azure-devices.net", BREAKS },
  { "hub-N\xe3\x80\x82"
    "azure-devices.net",
    BREAKS },
  { "hub_N.azure-devices.net", BREAKS },
  { "*.azure-devices.net", BREAKS },
  { "-hub-N.azure-devices.net", BREAKS },
  { "hub-N-.azure-devices.net", BREAKS },
  { " hub-N.azure-devices.net", BREAKS },
  { "hub-N.azure-devices.net ", BREAKS },
  { "hub-N.azure-devices.net\\u0000.example.com", BREAKS },
  { "hub-N.azure-devices.net\\r\\nX-A: b", BREAKS },
  { "hub-N.azure-devices.net\\u0007", BREAKS },
  { "%68ub-N.azure-devices.net", BREAKS },
  { "10.0.0.1", BREAKS },
  { "[2001:db8::1]", BREAKS },
  { "2001:db8::1", BREAKS },
  { "localhost", BREAKS },
  { "", BREAKS },
  { "a23456789-123456789-123456789-123456789-123456789-123456789-1234.azure-devices.net",
    BREAKS },
};

static const Row devices[] = {
  { "Device:N.a-b+c%d_e#f*g?h!i(j)k,l=m@n$o'p", KEEPS },
  { "N", KEEPS },
  { "", BREAKS },
  { "a/N", BREAKS },
  { "../N", BREAKS },
  { "a\\\\N", BREAKS },
  { "a N", BREAKS },
  { "a\\nN", BREAKS },
  { "a\\u0000N", BREAKS },
  { "a\\\"N", BREAKS },
  { "a&N", BREAKS },
  { "a;N", BREAKS },
  { "ger\xc3\xa4t-N", BREAKS },
  { "123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
    "5"
    "678901234567890123456789012345678901234567890123456789",
    BREAKS },
};

static void
put_name (Answer *answer, const char *member, const Row *row, char **kept)
{
  g_autofree char *number = g_strdup_printf ("%" G_GUINT64_FORMAT, answer->number);
  g_autoptr (GString) text = g_string_new (row->text);
  g_autofree char *value = NULL;

  if (!answer_is_assigned (answer) ||
      answer_find (identity_members (answer), member) == NULL)
    return;
  g_string_replace (text, "N", number, 1);
  value = g_strdup_printf ("\"%s\"", text->str);
  answer_set (identity_members (answer), member, value);
  if (row->effect == KEEPS)
    {
      g_free (*kept);
      *kept = g_strdup (text->str);
    }
  answer_note (answer, row->text, row->effect);
}

static void
change_hub (Answer *answer, Random *random)
{
  put_name (answer, "assignedHub", &random_pick (random, hubs), &answer->hub);
}

static void
change_device (Answer *answer, Random *random)
{
  put_name (answer, "deviceId", &random_pick (random, devices), &answer->device);
}

static void
change_status (Answer *answer, Random *random)
{
  static const Row rows[] = {
    { "Assigned", KEEPS },
    { "ASSIGNED", KEEPS },
    { "assigned ", BREAKS },
    { " assigned", BREAKS },
    { "assigne", BREAKS },
    { "assignedx", BREAKS },
    { "", BREAKS },
    { "assigning", BREAKS },
    { "unassigned", BREAKS },
    { "failed", BREAKS },
    { "disabled", BREAKS },
    { "unknown", BREAKS },
    { "assigned\\u0000", BREAKS },
    { "a\xc5\xbfsigned", BREAKS },
    { "assigned\\n", BREAKS },
  };
  const Row *row = &random_pick (random, rows);
  g_autofree char *value = g_strdup_printf ("\"%s\"", row->text);

  if (answer_find (answer->root, "status") == NULL || !answer_is_assigned (answer))
    return;
  answer_set (answer->root, "status", value);
  answer_note (answer, "another status", row->effect);
}

static void
escape_name (Answer *answer, Random *random)
{
  GPtrArray *members = some_members (answer, random);
  Member *member = members->pdata[random_below (random, members->len)];
  gsize at = random_below (random, strlen (member->name));
  char *name;

  if (strchr (member->name, '\\') != NULL)
    return;
  name = g_strdup_printf ("%.*s\\u%04x%s",
                          (int) at,
                          member->name,
                          (guint) member->name[at],
                          member->name + at + 1);
  g_free (member->name);
  member->name = name;
  answer_note (answer, "an escaped name", KEEPS);
}

static void
change_payload (Answer *answer, Random *random)
{
  static const char *const values[] = {
    "12345678901234567890", "[1e999]", "{\"a\":{}}", "\"\"", "false", "null"
  };
  GPtrArray *members = identity_members (answer);

  if (!answer_is_assigned (answer) || answer_find (members, "payload") != NULL)
    return;
  answer_add (members, 0, "payload", random_pick (random, values));
  answer_note (answer, "a payload", KEEPS);
}

static void
change_operation (Answer *answer, Random *random)
{
  static const Row rows[] = { { "\"a/b?c#d%2F \\\"x\"", KEEPS },
                              { "\"\"", UNSURE },
                              { "\"..\"", UNSURE },
                              { "\"a\\r\\nb\"", UNSURE },
                              { "7", UNSURE } };
  const Row *row = &random_pick (random, rows);

  if (answer_find (answer->root, "operationId") == NULL)
    return;
  answer_set (answer->root, "operationId", row->text);
  answer_note (answer, "another operationId", row->effect);
}

static const Mutation table[] = {
  drop_member, drop_state,     double_member,     reorder,
  change_type, nest,           change_state_type, add_number,
  add_word,    add_string,     change_hub,        change_hub,
  change_hub,  change_device,  change_status,     add_long_string,
  escape_name, change_payload, change_operation,
};
const Mutations member_mutations = { table, G_N_ELEMENTS (table) };
