// The lines of a golden script: taken one by one, and compared word for word; see play.h.
#include <ctype.h>
#include <string.h>

#include "test/script/play.h"

bool play_next_line(const char **script, char *ret_line)
{
    if (**script == 0)
        return false;
    const char *end = *script + strcspn(*script, "\n");
    size_t size = GR_MIN((size_t)(end - *script), TEXT_MAX - 1);
    memcpy(ret_line, *script, size);
    ret_line[size] = 0;
    *script = *end == 0 ? end : end + 1;
    for (size_t i = 0; i < size; i++)
        if (ret_line[i] == '#' && (ret_line[i + 1] == ' ' || ret_line[i + 1] == 0))
            ret_line[size = i] = 0;
    while (size > 0 && isspace((unsigned char)ret_line[size - 1]))
        ret_line[--size] = 0;
    size_t space = strspn(ret_line, " \t");
    memmove(ret_line, ret_line + space, strlen(ret_line + space) + 1);
    return true;
}

bool play_same_words(const char *a, const char *b)
{
    for (;;) {
        while (*a == ' ')
            a++;
        while (*b == ' ')
            b++;
        while (*a != 0 && *a != ' ' && *a == *b)
            a++, b++;
        bool a_ends = *a == 0 || *a == ' ', b_ends = *b == 0 || *b == ' ';
        if (!a_ends || !b_ends)
            return false;
        if (*a == 0 || *b == 0)
            return strspn(a, " ") == strlen(a) && strspn(b, " ") == strlen(b);
    }
}
