/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CA that issues certificates to devices for their CSRs: a root, and a CA below it.
 */
#pragma once

#include "em-x509.h"

#include <json-glib/json-glib.h>

#define EM_CSR_MAX (16 * 1024)

/* How an issued chain is wrong on purpose, for a scenario to ask for. */
typedef enum
{
  EM_ISSUE_SOUND,
  EM_ISSUE_MISSING,
  EM_ISSUE_EMPTY,
  EM_ISSUE_OTHER_KEY,
  EM_ISSUE_OTHER_COMMON_NAME,
  EM_ISSUE_EXPIRED,
  EM_ISSUE_NOT_YET_VALID,
  EM_ISSUE_NO_LINK, /* the CA between is another of the same name */
  EM_ISSUE_ROOT_FIRST,
  EM_ISSUE_LEAF_ALONE,
  EM_ISSUE_TOO_MANY, /* nine certificates */
  EM_ISSUE_NOT_BASE64,
  EM_ISSUE_NOT_CERTIFICATES,
} EmIssueFault;

/* Their names in a scenario, by number and NULL-terminated. */
extern const char *const em_issue_fault_words[];

/* A request of base64 for a key on P-384, signed with that key, whose one common name is
 * NAME exactly. NULL, and *WHY_OUT says which of this is not so. */
X509_REQ *em_csr_parse (const char *text, const char *name, const char **why_out);

typedef struct _EmIssuer EmIssuer;

/* From issuing-root and issuing-ca (.pem and .key) of DIR, which are made where they are
 * not there. */
EmIssuer *em_issuer_open (const char *dir, GError **error);
void em_issuer_free (EmIssuer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmIssuer, em_issuer_free)

/* The root, which is what a hub takes. */
EmX509Trust *em_issuer_get_trust (EmIssuer *self);
/* The chain as the wire has it, for LIFETIME seconds from now: base64 of DER, leaf first.
 * NULL for EM_ISSUE_MISSING. */
JsonArray *em_issuer_issue (EmIssuer *self,
                            X509_REQ *csr,
                            gint64 lifetime,
                            EmIssueFault fault);
