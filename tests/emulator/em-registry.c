/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-registry.h"

#include "em-codec.h"

#include <string.h>

struct _EmRegistry
{
  GHashTable *records; /* registration ID in lower case → EmRecord */
  GHashTable *devices; /* hub/device → EmRecord, borrowed from records */
};

static void
operation_free (EmOperation *operation)
{
  g_free (operation->id);
  g_free (operation->status);
  g_free (operation);
}

static void
clear_keys (GBytes **keys)
{
  for (guint i = 0; i < 3; i++)
    g_clear_pointer (&keys[i], g_bytes_unref);
}

static void
record_free (EmRecord *record)
{
  g_clear_pointer (&record->enrolment, em_enrolment_free);
  g_clear_pointer (&record->request_payload, json_node_unref);
  g_free (record->host);
  g_free (record->authentication_key);
  g_queue_clear_full (&record->operations, (GDestroyNotify) operation_free);
  g_free (record->hub);
  g_free (record->device_id);
  clear_keys (record->hub_keys);
  g_clear_pointer (&record->hub_trust, em_x509_trust_unref);
  X509_REQ_free (record->csr);
  g_clear_pointer (&record->issued_chain, json_array_unref);
  g_free (record->error_message);
  g_free (record->etag);
  g_free (record);
}

EmRegistry *
em_registry_new (void)
{
  EmRegistry *self = g_new0 (EmRegistry, 1);

  self->records = g_hash_table_new_full (g_str_hash,
                                         g_str_equal,
                                         g_free,
                                         (GDestroyNotify) record_free);
  self->devices = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return self;
}

void
em_registry_free (EmRegistry *self)
{
  g_hash_table_unref (self->devices);
  g_hash_table_unref (self->records);
  g_free (self);
}

EmRecord *
em_registry_find (EmRegistry *self, const char *registration_id)
{
  g_autofree char *name = g_ascii_strdown (registration_id, -1);

  return g_hash_table_lookup (self->records, name);
}

/* Host names have no case, device IDs do. */
static char *
device_name (const char *hub, const char *device_id)
{
  g_autofree char *host = g_ascii_strdown (hub, -1);

  return g_strconcat (host, "/", device_id, NULL);
}

EmRecord *
em_registry_find_device (EmRegistry *self, const char *hub, const char *device_id)
{
  g_autofree char *name = device_name (hub, device_id);

  return g_hash_table_lookup (self->devices, name);
}

/* The digit, the sixteen hex digits and the GUID of the service's operation IDs. */
static EmOperation *
operation_new (guint polls)
{
  EmOperation *operation = g_new0 (EmOperation, 1);
  g_autofree char *guid = em_guid ();

  operation->id =
      g_strdup_printf ("5.%08x%08x.%s", g_random_int (), g_random_int (), guid);
  operation->polls_left = polls;
  operation->status = g_strdup ("assigning");
  return operation;
}

void
em_record_touch (EmRecord *self)
{
  g_autofree char *guid = em_guid ();
  g_autofree char *quoted = g_strdup_printf ("\"%s\"", guid);

  g_free (self->etag);
  self->etag = g_base64_encode ((const guchar *) quoted, strlen (quoted));
  self->updated = g_get_real_time ();
}

EmRecord *
em_registry_register (EmRegistry *self, EmEnrolment *enrolment, guint polls)
{
  EmRecord *record = em_registry_find (self, enrolment->registration_id);

  if (record == NULL)
    {
      record = g_new0 (EmRecord, 1);
      g_queue_init (&record->operations);
      record->created = g_get_real_time ();
      g_hash_table_insert (self->records,
                           g_ascii_strdown (enrolment->registration_id, -1),
                           record);
    }

  g_clear_pointer (&record->enrolment, em_enrolment_free);
  record->enrolment = enrolment;
  em_record_touch (record);

  g_queue_push_head (&record->operations, operation_new (polls));
  if (g_queue_get_length (&record->operations) > EM_OPERATIONS_MAX)
    operation_free (g_queue_pop_tail (&record->operations));
  return record;
}

EmOperation *
em_record_find_operation (EmRecord *self, const char *id)
{
  for (GList *l = self->operations.head; l != NULL; l = l->next)
    {
      EmOperation *operation = l->data;

      if (g_str_equal (operation->id, id))
        return operation;
    }

  return NULL;
}

void
em_record_set_hub_trust (EmRecord *self, EmX509Trust *trust)
{
  clear_keys (self->hub_keys);
  em_x509_trust_ref (trust);
  g_clear_pointer (&self->hub_trust, em_x509_trust_unref);
  self->hub_trust = trust;
}

static void
leave_hub (EmRegistry *self, EmRecord *record)
{
  g_autofree char *name = device_name (record->hub, record->device_id);

  if (g_hash_table_lookup (self->devices, name) == record)
    g_hash_table_remove (self->devices, name);
}

void
em_registry_assign (EmRegistry *self,
                    EmRecord *record,
                    const char *hub,
                    const char *device_id)
{
  gboolean moved = record->hub != NULL && g_ascii_strcasecmp (record->hub, hub) != 0;

  if (record->hub != NULL)
    leave_hub (self, record);

  g_free (record->hub);
  record->hub = g_strdup (hub);
  g_free (record->device_id);
  record->device_id = g_strdup (device_id);
  record->substatus = moved ? "deviceDataMigrated" : "initialAssignment";

  /* The hub goes on with these whatever becomes of the enrolment. */
  clear_keys (record->hub_keys);
  g_clear_pointer (&record->hub_trust, em_x509_trust_unref);
  if (record->enrolment->trust != NULL)
    em_record_set_hub_trust (record, record->enrolment->trust);
  for (guint i = 0; record->enrolment->keys[i] != NULL; i++)
    record->hub_keys[i] = g_bytes_ref (record->enrolment->keys[i]);

  g_hash_table_replace (self->devices, device_name (hub, device_id), record);
  em_record_touch (record);
}
