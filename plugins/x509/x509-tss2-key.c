/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-tss2-key.h"
#include "x509-openssl.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#define PEM_NAME "TSS2 PRIVATE KEY"
#define LOADABLE "2.23.133.10.1.3"
#define IS_PERSISTENT(handle) ((handle) >> 24 == TPM2_HT_PERSISTENT)

typedef struct
{
  ASN1_OBJECT *type;
  ASN1_BOOLEAN empty_auth;
  ASN1_TYPE *policy;
  ASN1_TYPE *secret;
  ASN1_TYPE *auth_policy;
  ASN1_INTEGER *parent;
  ASN1_OCTET_STRING *public;
  ASN1_OCTET_STRING *private;
} TpmKeyFile;

ASN1_SEQUENCE (TpmKeyFile) = {
  ASN1_SIMPLE (TpmKeyFile, type, ASN1_OBJECT),
  ASN1_EXP_OPT (TpmKeyFile, empty_auth, ASN1_FBOOLEAN, 0),
  ASN1_EXP_OPT (TpmKeyFile, policy, ASN1_ANY, 1),
  ASN1_EXP_OPT (TpmKeyFile, secret, ASN1_ANY, 2),
  ASN1_EXP_OPT (TpmKeyFile, auth_policy, ASN1_ANY, 3),
  ASN1_SIMPLE (TpmKeyFile, parent, ASN1_INTEGER),
  ASN1_SIMPLE (TpmKeyFile, public, ASN1_OCTET_STRING),
  ASN1_SIMPLE (TpmKeyFile, private, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END (TpmKeyFile)

    static void tpm_key_file_free (TpmKeyFile *self)
{
  ASN1_item_free ((ASN1_VALUE *) self, ASN1_ITEM_rptr (TpmKeyFile));
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TpmKeyFile, tpm_key_file_free)

static gboolean
refuse (X509Error *error, const char *text)
{
  return x509_error_set (error,
                         DPS_PLUGIN_INVALID_ARGUMENT,
                         X509_CAUSE_TPM_KEY,
                         "the TPM key file that key= in [plugin x509] names %s",
                         text);
}

static TpmKeyFile *
read_file (const DpsPluginView *pem, X509Error *error)
{
  g_autoptr (BIO) bio = BIO_new_mem_buf (pem->data, (int) pem->size);
  g_autoptr (TpmKeyFile) file = NULL;
  guint8 *der = NULL;
  const guint8 *p;
  long size;

  if (!PEM_bytes_read_bio (&der, &size, NULL, PEM_NAME, bio, NULL, NULL))
    return refuse (error, "has no whole PEM block \"" PEM_NAME "\""), NULL;
  p = der;
  file = (TpmKeyFile *) ASN1_item_d2i (NULL, &p, size, ASN1_ITEM_rptr (TpmKeyFile));
  if (file != NULL && p != der + size)
    g_clear_pointer (&file, tpm_key_file_free);
  OPENSSL_free (der);
  if (file == NULL)
    refuse (error, "is damaged: what it has is no TPMKey");
  return g_steal_pointer (&file);
}

static gboolean
take_parent (const TpmKeyFile *file, X509Tss2Key *out, X509Error *error)
{
  guint64 parent;

  if (!ASN1_INTEGER_get_uint64 (&parent, file->parent) || parent > G_MAXUINT32 ||
      (parent != TPM2_RH_OWNER && !IS_PERSISTENT (parent)))
    return refuse (error,
                   "has a parent that is neither the owner hierarchy nor a persistent "
                   "handle; make it again below one of them");
  out->parent = (TPM2_HANDLE) parent;
  return TRUE;
}

static gboolean
take_parts (const TpmKeyFile *file, X509Tss2Key *out, X509Error *error)
{
  gsize public_size = (gsize) ASN1_STRING_length (file->public);
  gsize private_size = (gsize) ASN1_STRING_length (file->private);
  gsize public_end = 0, private_end = 0;

  if (Tss2_MU_TPM2B_PUBLIC_Unmarshal (ASN1_STRING_get0_data (file->public),
                                      public_size,
                                      &public_end,
                                      &out->public) == TSS2_RC_SUCCESS &&
      public_end == public_size &&
      Tss2_MU_TPM2B_PRIVATE_Unmarshal (ASN1_STRING_get0_data (file->private),
                                       private_size,
                                       &private_end,
                                       &out->private) == TSS2_RC_SUCCESS &&
      private_end == private_size)
    return TRUE;
  return refuse (error, "is damaged: its parts are none that a TPM loads");
}

gboolean
x509_tss2_key_parse (const DpsPluginView *pem, X509Tss2Key *out, X509Error *error)
{
  g_autoptr (TpmKeyFile) file = read_file (pem, error);
  char type[64];

  *out = (X509Tss2Key){ 0 };
  if (file == NULL)
    return FALSE;
  if (OBJ_obj2txt (type, sizeof type, file->type, 1) < 0 || strcmp (type, LOADABLE) != 0)
    return refuse (error,
                   "is of another type than a loadable key; import it into the TPM, or "
                   "make the key there");
  if (file->policy != NULL || file->auth_policy != NULL || file->secret != NULL)
    return refuse (error, "asks for a policy, which is not supported");
  return take_parent (file, out, error) && take_parts (file, out, error);
}
