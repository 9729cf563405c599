import { ask } from './api.js';

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
		this.asked = null; // promise of an answer that is on its way
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
		this.asked = this.asked || this.ask();
		return this.asked;
	}

	async ask() {
		const { found, final } = await ask( this.fetch, this.settings.api, 'websocket-token' );
		this.asked = null;
		return found ? { token: found.token, expires: found.expires } : { final };
	}
}

function expiry( token ) {
	try {
		return JSON.parse( atob( token.split( '.' )[ 1 ].replace( /-/g, '+' ).replace( /_/g, '/' ) ) ).exp || 0;
	} catch ( e ) {
		return 0;
	}
}
