/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-json.h"
#include "dps/dps-message.h"
#include "reader.h"
#include "target.h"

#include <string.h>

/* First byte: r register, p poll, l lookup, e error; then the body. What is accepted as
 * assigned, the second reader reads so too; a payload that came in may go out. */

static void
check_registration (const DpsRegistration *r,
                    const char *data,
                    gsize size,
                    gboolean wrapped)
{
  if (r->payload != NULL)
    {
      DpsRegisterBody body = { .payload = r->payload };
      g_autofree char *text = dps_message_register_body ("d", &body, NULL);

      g_assert_nonnull (text);
      g_assert_nonnull (strstr (text, r->payload));
    }
  if (r->error_message != NULL)
    g_assert_true (g_utf8_validate (r->error_message, -1, NULL) &&
                   strlen (r->error_message) <= 1024);
  if (r->status == DPS_STATUS_ASSIGNED && !wrapped)
    {
      g_assert_nonnull (r->assigned_hub);
      g_assert_nonnull (r->device_id);
    }
  if (r->assigned_hub != NULL && r->device_id != NULL)
    {
      g_auto (ReaderNames) names = { 0 };

      g_assert_true (reader_read_json (data, size, wrapped, &names));
      g_assert_cmpstr (names.hub, ==, r->assigned_hub);
      g_assert_cmpstr (names.device, ==, r->device_id);
    }
}

static void
check_reply (const DpsReply *reply, const char *data, gsize size)
{
  if (reply == NULL)
    return;
  if (reply->status == DPS_STATUS_ASSIGNED)
    g_assert_true (reply->registration != NULL &&
                   reply->registration->assigned_hub != NULL &&
                   reply->registration->device_id != NULL);
  if (reply->registration != NULL)
    check_registration (reply->registration, data, size, TRUE);
}

int
LLVMFuzzerTestOneInput (const guint8 *bytes, gsize size)
{
  const char *data = (const char *) bytes + 1;
  g_autoptr (DpsReply) reply = NULL;
  g_autoptr (DpsRegistration) registration = NULL;
  g_autoptr (DpsServiceError) error = NULL;

  if (size == 0)
    return 0;
  size--;
  switch (bytes[0])
    {
    case 'r':
      reply = dps_message_parse_register (data, size, NULL);
      if (reply != NULL && reply->status == DPS_STATUS_ASSIGNING)
        g_assert_nonnull (reply->operation_id);
      break;
    case 'p':
      reply = dps_message_parse_poll (data, size, NULL);
      break;
    case 'l':
      registration = dps_message_parse_lookup (data, size, NULL);
      if (registration != NULL)
        check_registration (registration, data, size, FALSE);
      break;
    default:
      error = dps_message_parse_error (data, size, NULL);
      if (error != NULL && dps_service_error_is_challenge (error, 401))
        g_assert_nonnull (error->key_name);
    }
  check_reply (reply, data, size);
  return 0;
}
