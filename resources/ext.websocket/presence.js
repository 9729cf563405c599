// A question that has not been answered for so long will not be, in ms.
const PATIENCE = 10000;

/**
 * Who subscribes to a type, and who comes and goes.
 */
export class Presence {
	/**
	 * @param {function(Object)} post a message to the host, if there is one
	 * @param {Object} changes the Listeners of join and leave, by "join TYPE" and "leave TYPE"
	 */
	constructor( post, changes ) {
		this.post = post;
		this.changes = changes;
		this.questions = new Map();
		this.last = 0;
	}

	/**
	 * @param {string} type
	 * @return {Promise<Object>}
	 */
	ask( type ) {
		return new Promise( ( resolve, reject ) => {
			const id = ++this.last;
			const timer = setTimeout( () => this.answered( { id, code: 'unavailable', message: 'no answer' } ), PATIENCE );
			const question = { op: 'presence', id, type };
			this.questions.set( id, { question, resolve, reject, timer } );
			this.post( question );
		} );
	}

	answered( { id, data, code, message } ) {
		const asked = this.questions.get( id );
		if ( asked ) {
			this.questions.delete( id );
			clearTimeout( asked.timer );
			if ( code ) {
				asked.reject( failure( code, message ) );
			} else {
				asked.resolve( data );
			}
		}
	}

	/**
	 * There is a connection: what was asked on another has no answer.
	 */
	again() {
		this.questions.forEach( ( { question } ) => this.post( question ) );
	}

	/**
	 * The host is a new one.
	 */
	hello() {
		new Set( this.changes.names().map( ( name ) => name.slice( name.indexOf( ' ' ) + 1 ) ) )
			.forEach( ( type ) => this.post( { op: 'follow', type } ) );
	}

	/**
	 * @param {string} op join or leave
	 * @param {string} type
	 * @param {Function} callback
	 * @return {function()} ends it
	 */
	follow( op, type, callback ) {
		const name = op + ' ' + type;
		const followed = this.follows( type );
		this.changes.add( name, callback );
		if ( !followed ) {
			this.post( { op: 'follow', type } );
		}
		return () => {
			if ( this.changes.remove( name, callback ) && !this.follows( type ) ) {
				this.post( { op: 'unfollow', type } );
			}
		};
	}

	follows( type ) {
		return this.changes.has( 'join ' + type ) || this.changes.has( 'leave ' + type );
	}
}

/**
 * @param {string} code
 * @param {string} message
 * @return {Error}
 */
export function failure( code, message ) {
	return Object.assign( new Error( message ), { code } );
}
