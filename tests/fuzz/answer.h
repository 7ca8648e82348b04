/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "random.h"

/* An answer of the service in the making: from the catalogue of valid ones, through
 * mutations of its parts, to the bytes on the wire. */

typedef enum
{
  CALL_REGISTER,
  CALL_POLL,
  CALL_LOOKUP,
  CALL_HUB,
} Call;

/* What a mutation does to an answer, as far as it knows by itself. */
typedef enum
{
  KEEPS,  /* it still says the same */
  BREAKS, /* whatever it said, it is not to be believed any more */
  UNSURE, /* only the bytes tell: see reader.h */
} Effect;

typedef enum
{
  FRAMING_LENGTH,
  FRAMING_CHUNKED,
  FRAMING_CLOSE,
} Framing;

typedef enum
{
  END_KEEP,  /* the connection stays */
  END_CLOSE, /* TLS is closed properly */
  END_CUT,   /* the connection just ends */
} End;

/* One row of the catalogue. Bodies are texts with @HUB@ and @DEVICE@ to fill in: both are
 * of the one case only, so that an answer which turns up for another one is noticed. */
typedef struct
{
  const char *name;
  Call call;
  const char *status;  /* "202 Accepted" */
  const char *headers; /* joined by newlines, without the body's length */
  const char *root;    /* members as "name value" lines; NULL = text */
  const char *state;   /* those of registrationState, NULL = there is none */
  const char *text;    /* the body where there are no members */
  const char *outcome; /* "assigned", "poll", "verified", a failure's code … */
} Kind;

extern const Kind kinds[];
extern const gsize n_kinds;

typedef struct
{
  char *name;
  char *value; /* JSON text */
} Member;

typedef struct
{
  const Kind *kind;
  guint64 number;
  char *version, *code, *reason;
  GPtrArray *headers; /* lines without their end */
  Framing framing;
  End end;
  GPtrArray *root, *state; /* of Member; NULL = none */
  GString *body;
  GString *bytes;
  char *hub, *device; /* as they are in an answer that is assigned */
  Effect effect;
  GString *story; /* what was done to it */
} Answer;

Answer *answer_new (const Kind *kind, guint64 number);
void answer_free (Answer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Answer, answer_free)

gboolean answer_is_assigned (const Answer *self);

/* Notes that what was done has effect. Of several, one may undo another. */
void answer_note (Answer *self, const char *what, Effect effect);

Member *answer_find (GPtrArray *members, const char *name);
void answer_set (GPtrArray *members, const char *name, const char *value);
void answer_add (GPtrArray *members, gsize at, const char *name, const char *value);

/* body from root and state. */
void answer_write_body (Answer *self);
/* head and body of bytes from the rest, in chunks where that is the framing. */
void answer_write_head (Answer *self);
void answer_write_payload (Answer *self, Random *random);

/* A whole case: which kind, which mutations, all from seed and number. */
Answer *answer_generate (guint64 seed, guint64 number);
