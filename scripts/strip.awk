# Prints C as FILE:LINE:CODE, without comments and with strings and characters emptied, so that a search
# meets code only; with -v comments=1 the comments instead. POSIX awk.
FNR == 1 { in_comment = 0 }
{
    code = ""; said = ""; quote = ""
    for (i = 1; i <= length($0); i++) {
        c = substr($0, i, 1); two = substr($0, i, 2)
        if (in_comment) {
            if (two == "*/") { in_comment = 0; i++; said = said " " }
            else said = said c
        } else if (quote != "") {
            if (c == "\\") i++
            else if (c == quote) { quote = ""; code = code c }
        } else if (two == "/*") {
            in_comment = 1; i++; code = code " "
        } else if (two == "//") {
            said = said substr($0, i + 2)
            break
        } else {
            if (c == "\"" || c == "'") quote = c
            code = code c
        }
    }
    print FILENAME ":" FNR ":" (comments ? said : code)
}
