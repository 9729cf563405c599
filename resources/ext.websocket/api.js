// Errors of the wiki that pass; others are final.
const PASSING = /^(ratelimited|readonly|maxlag|internal_api_error)/;
// A wiki that has not answered for so long is taken for one that does not, in ms.
const PATIENCE = 20000;

/**
 * Ask a module of the wiki's API.
 *
 * @param {function(string, Object): Promise<Response>} fetch
 * @param {string} url of api.php
 * @param {string} module
 * @param {Object} [body] parameters that are not for the logs of web servers: the request is a POST then
 * @return {Promise<{found: Object|undefined, final: boolean, message: string}>} what it answers, else whether asking again is of no use, and
 *  what the wiki says; never rejected
 */
export async function ask( fetch, url, module, body ) {
	const failed = { found: undefined, final: false, message: '' };
	const abort = new AbortController();
	const timer = setTimeout( () => abort.abort(), PATIENCE );
	const options = { credentials: 'same-origin', cache: 'no-store', signal: abort.signal };
	if ( body ) {
		options.method = 'POST';
		options.body = new URLSearchParams( body );
	}
	try {
		const answer = await ( await fetch( url + '?action=' + module + '&format=json&formatversion=2', options ) ).json();
		const { error } = answer;
		return error ?
			{ found: undefined, final: !PASSING.test( error.code ), message: String( error.info || error.code ) } :
			Object.assign( failed, { found: answer[ module ] } );
	} catch ( e ) {
		return failed;
	} finally {
		clearTimeout( timer );
	}
}
