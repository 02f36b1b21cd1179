/* Errors of the chorus library: a code and one finished sentence on the caller's stack. */
#ifndef CHORUS_ERR_H
#define CHORUS_ERR_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    CH_OK = 0,
    CH_EUSER,   /* the user or a file is wrong: one sentence says what was found and wanted */
    CH_EIO,     /* the system refused: no space, no permission, a read cut short */
    CH_EMEM,    /* not enough memory */
    CH_ENUMBER, /* a NaN or an infinity where a number must be */
    CH_EEMPTY,  /* a stage found nothing to work on (no pair, no candidate) */
    CH_ESTOP,   /* interrupted; what is on disk can be continued */
    CH_ELONG    /* a row has more tokens than fit: a user's fault as CH_EUSER, of which some callers
                   drop the row */
} ch_code;

/* Lives on the caller's stack, zeroed before use; the first failure wins. */
typedef struct {
    ch_code code;
    char msg[512]; /* one line of UTF-8 without control characters */
} ch_err;

#ifdef __cplusplus
}
#endif
#endif
