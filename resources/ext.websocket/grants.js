import { ask } from './api.js';

// As many as the API takes in one request.
const BATCH = 50;
// What is asked for within so many ms is one request.
const MOMENT = 10;
// A token that runs out in so many seconds is not given out any more.
const MARGIN = 30;
// MediaWiki's API reads values as separated by it when they begin with it. The usual "|" may be part of a type, which this cannot.
const SEPARATOR = String.fromCharCode( 31 );

/**
 * Gets the tokens that some types need to be subscribed to. The wiki is asked for each once; its answer is kept while it is good.
 */
export class Grants {
	/**
	 * @param {{api: string|null}} settings
	 * @param {function(string, Object): Promise<Response>} fetch
	 */
	constructor( settings, fetch ) {
		this.settings = settings;
		this.fetch = fetch;
		this.tokens = new Map(); // {token, expires} by type
		this.asked = new Map(); // promises of answers, by type
		this.queue = []; // {type, resolve}, for the next requests
		this.running = false;
	}

	/**
	 * Get tokens.
	 *
	 * @param {string[]} types
	 * @param {string[]} refused those of them for which the token in stock will not do
	 * @return {Promise<Object>} what to tell the host: tokens {type, token, expires}, refused {type, code, message}; final: the types in neither
	 *  will never get a token
	 */
	async get( types, refused ) {
		const answer = { tokens: [], refused: [], final: !this.settings.api };
		if ( !this.settings.api ) {
			return answer;
		}
		refused.forEach( ( type ) => this.tokens.delete( type ) );
		( await Promise.all( types.map( ( type ) => this.one( type ) ) ) ).forEach( ( { token, no } ) => {
			if ( token ) {
				answer.tokens.push( token );
			} else if ( no ) {
				answer.refused.push( no );
			}
		} );
		return answer;
	}

	/**
	 * @param {string} type
	 * @return {Promise<{token: Object|undefined, no: Object|undefined}>} neither: it could not be asked for now
	 */
	one( type ) {
		const token = this.tokens.get( type );
		if ( token && token.expires - MARGIN > Date.now() / 1000 ) {
			return Promise.resolve( { token } );
		}
		let answer = this.asked.get( type );
		if ( !answer ) {
			answer = new Promise( ( resolve ) => {
				this.queue.push( { type, resolve } );
			} );
			this.asked.set( type, answer );
			if ( !this.running ) {
				this.running = true;
				setTimeout( () => this.run(), MOMENT );
			}
		}
		return answer;
	}

	// One request after the other: a page that wants a lot is not to take all that the browser allows a host.
	async run() {
		while ( this.queue.length ) {
			const batch = this.queue.splice( 0, BATCH );
			const answers = await this.request( batch.map( ( { type } ) => type ) );
			batch.forEach( ( { type, resolve } ) => {
				this.asked.delete( type );
				resolve( answers( type ) );
			} );
		}
		this.running = false;
	}

	/**
	 * @param {string[]} types
	 * @return {Promise<function(string): Object>} the answer about each
	 */
	async request( types ) {
		const { found, final, message } = await ask( this.fetch, this.settings.api, 'websocket-subscribe', {
			types: SEPARATOR + types.join( SEPARATOR )
		} );
		if ( !found ) {
			return ( type ) => final ? { no: { type, code: 'forbidden', message } } : {};
		}
		const answers = new Map();
		( found.refused || [] ).forEach( ( no ) => answers.set( no.type, { no } ) );
		( found.tokens || [] ).forEach( ( token ) => {
			this.tokens.set( token.type, token );
			answers.set( token.type, { token } );
		} );
		// A name that is not in Unicode's normal form C comes back as another one, which the relay would not know.
		return ( type ) => answers.get( type ) || { no: { type, code: 'bad-request', message: 'the wiki does not know this type' } };
	}
}
