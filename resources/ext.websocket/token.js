// Errors of the wiki that pass; others are final.
const PASSING = /^(ratelimited|readonly|maxlag|internal_api_error)/;

/**
 * Gets the tokens with which this browser connects.
 *
 * An anonymous visitor's is in the page, which may come from a cache; everybody else's, and every further one, comes from the wiki's API.
 */
export class Tokens {
	/**
	 * @param {{token: string|null, api: string|null}} settings
	 * @param {function(string, Object): Promise<Response>} fetch
	 */
	constructor( settings, fetch ) {
		this.settings = settings;
		this.fetch = fetch;
	}

	/**
	 * The token that is there without asking.
	 *
	 * @return {{token: string|null, expires: number}} the token is null when there is none; expires is 0 when unknown
	 */
	stock() {
		let { token } = this.settings;
		if ( !token && !this.settings.api ) {
			token = ''; // a relay without a wiki
		}
		const expires = token ? expiry( token ) : 0;
		return expires && expires < Date.now() / 1000 ? { token: null, expires: 0 } : { token, expires };
	}

	/**
	 * Get a token.
	 *
	 * @param {boolean} refused the one in stock will not do
	 * @return {Promise<Object>} what to tell the host
	 */
	async get( refused ) {
		const stock = this.stock();
		if ( stock.token !== null && !refused ) {
			return stock;
		}
		if ( !this.settings.api ) {
			return { final: true };
		}
		try {
			const response = await this.fetch(
				this.settings.api + '?action=websocket-token&format=json&formatversion=2',
				{ credentials: 'same-origin', cache: 'no-store' }
			);
			const answer = await response.json();
			const found = answer[ 'websocket-token' ];
			if ( found ) {
				return { token: found.token, expires: found.expires };
			}
			return { final: !!answer.error && !PASSING.test( answer.error.code ) };
		} catch ( e ) {
			return { final: false };
		}
	}
}

function expiry( token ) {
	try {
		return JSON.parse( atob( token.split( '.' )[ 1 ].replace( /-/g, '+' ).replace( /_/g, '/' ) ) ).exp || 0;
	} catch ( e ) {
		return 0;
	}
}
