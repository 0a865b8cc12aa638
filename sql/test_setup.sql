-- What the other tests use.
CREATE FUNCTION public.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE statement;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', SQLSTATE || ': ' || message, '    ' || nullif(detail, ''), '    ' || nullif(hint, ''));
END $$;
COMMENT ON FUNCTION public.try(text) IS 'Runs a statement; ok, or what it complains about: SQLSTATE, message, detail and hint, a line each.';
