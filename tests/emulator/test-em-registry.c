/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-registry.h"

#define HUB "hub-1.azure-devices.net"
#define OTHER_HUB "hub-2.azure-devices.net"

static EmEnrolment *
enrolment_new (const char *id)
{
  EmEnrolment *enrolment = g_new0 (EmEnrolment, 1);

  enrolment->registration_id = g_strdup (id);
  enrolment->device_id = g_strdup (id);
  enrolment->keys[0] = g_bytes_new_static ("key", 3);
  return enrolment;
}

static void
test_one_record (void)
{
  g_autoptr (EmRegistry) registry = em_registry_new ();
  EmRecord *record = em_registry_register (registry, enrolment_new ("Dev"), 1);

  g_assert_true (em_registry_register (registry, enrolment_new ("dEV"), 1) == record);
  g_assert_true (em_registry_find (registry, "DEV") == record);
  g_assert_null (em_registry_find (registry, "dev2"));
  g_assert_cmpuint (g_queue_get_length (&record->operations), ==, 2);
}

static void
test_operations_bounded (void)
{
  g_autoptr (EmRegistry) registry = em_registry_new ();
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  EmRecord *record = NULL;
  EmOperation *newest;

  for (guint i = 0; i <= EM_OPERATIONS_MAX; i++)
    {
      record = em_registry_register (registry, enrolment_new ("dev"), 1);
      newest = g_queue_peek_head (&record->operations);
      if (i < 2)
        *(i == 0 ? &first : &second) = g_strdup (newest->id);
    }

  g_assert_null (em_record_find_operation (record, first));
  g_assert_nonnull (em_record_find_operation (record, second));
  g_assert_cmpuint (g_queue_get_length (&record->operations), ==, EM_OPERATIONS_MAX);
}

static void
test_reassignment (void)
{
  g_autoptr (EmRegistry) registry = em_registry_new ();
  EmRecord *record = em_registry_register (registry, enrolment_new ("dev"), 1);

  g_assert_null (em_registry_find_device (registry, HUB, "dev"));

  em_registry_assign (registry, record, HUB, "dev");
  g_assert_true (em_registry_find_device (registry, "HUB-1.azure-devices.net", "dev") ==
                 record);
  g_assert_null (em_registry_find_device (registry, HUB, "Dev"));
  g_assert_cmpstr (record->substatus, ==, "initialAssignment");

  em_registry_assign (registry, record, OTHER_HUB, "dev");
  g_assert_null (em_registry_find_device (registry, HUB, "dev"));
  g_assert_true (em_registry_find_device (registry, OTHER_HUB, "dev") == record);
  g_assert_cmpstr (record->substatus, ==, "deviceDataMigrated");
}

/* Two registrations may be given one device ID: the later one has it, and the former
 * leaves it alone. */
static void
test_taken_device (void)
{
  g_autoptr (EmRegistry) registry = em_registry_new ();
  EmRecord *former = em_registry_register (registry, enrolment_new ("a"), 1);
  EmRecord *later = em_registry_register (registry, enrolment_new ("b"), 1);

  em_registry_assign (registry, former, HUB, "dev");
  em_registry_assign (registry, later, HUB, "dev");
  em_registry_assign (registry, former, OTHER_HUB, "dev");
  g_assert_true (em_registry_find_device (registry, HUB, "dev") == later);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/registry/one-record-for-a-registration", test_one_record);
  g_test_add_func ("/registry/operations-are-bounded", test_operations_bounded);
  g_test_add_func ("/registry/reassignment-leaves-the-former-hub", test_reassignment);
  g_test_add_func ("/registry/a-taken-device-stays-taken", test_taken_device);

  return g_test_run ();
}
